// Prints what AMD code objects must have: first the bytes of a kernel's argument, as the host compiler lays it out,
// then for every variant the end of its kernels' names and the bytes of one memory access.
#include <iostream>

#include "kernels/params.h"

int main() {
  std::cout << sizeof(hiprope::KernelParams) << '\n';
#define HIPROPE_VARIANT(element, layout, bytes, heads, scope) \
  std::cout << #element "_" #layout "_" #bytes "b_" #heads "h_" #scope " " #bytes "\n";
#include "kernels/variants.inc"
}
