// Prints the bytes of the kernels' argument, as the host compiler lays it out.
#include <iostream>

#include "kernels/params.h"

int main() {
  std::cout << sizeof(hiprope::KernelParams) << '\n';
}
