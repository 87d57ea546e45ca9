// Embedded code objects: which one a device takes, and loading and unloading it.
#include "gpu/kernels.h"

#include <pthread.h>

#include <cstring>
#include <initializer_list>
#include <new>

#include "gpu/code_objects.h"

namespace hiprope::internal::gpu {
namespace {

constexpr const char* kKernels[2] = {"rope", "position_embeddings"};

// Guards the list. A pthread mutex, since std::mutex throws.
pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
Kernels* list = nullptr;

class Lock {
 public:
  Lock() { pthread_mutex_lock(&list_mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { pthread_mutex_unlock(&list_mutex); }
};

// The NVIDIA build's objects hold every architecture and are called "sm".
bool fits(const hiprope_code_object& object, const char* architecture) {
  const char* name = object.architecture;
  return std::strcmp(name, architecture) == 0 ||
         (std::strcmp(name, "sm") == 0 && std::strncmp(architecture, "sm_", 3) == 0);
}

const hiprope_code_object* find_code_object(const char* kernel, const char* architecture) {
  for (std::int32_t i = 0; i < hiprope_code_object_total; ++i) {
    const hiprope_code_object& object = hiprope_code_objects[i];
    if (std::strcmp(object.kernel, kernel) == 0 && fits(object, architecture)) return &object;
  }
  return nullptr;
}

// Cuts what does not fit.
template <std::size_t bytes>
void join(char (&text)[bytes], std::initializer_list<const char*> parts) {
  text[0] = '\0';
  for (const char* part : parts) std::strncat(text, part, bytes - std::strlen(text) - 1);
}

hipError_t load(Kernels& kernels, const char* architecture) {
  for (int i = 0; i < 2; ++i) {
    hipError_t error = hipModuleLoadData(&kernels.modules[i], find_code_object(kKernels[i], architecture)->data);
    for (int variant = 0; variant < kVariantCount && error == hipSuccess; ++variant) {
      char symbol[96] = {};
      join(symbol, {kKernels[i], "_", kVariants[variant].name});
      error = hipModuleGetFunction(&kernels.functions[i][variant], kernels.modules[i], symbol);
    }
    if (error != hipSuccess) return error;
  }
  return hipSuccess;
}

void unload(Kernels* kernels) {
  for (const hipModule_t module : kernels->modules) {
    if (module != nullptr && hipModuleUnload(module) != hipSuccess) (void)hipGetLastError();
  }
  delete kernels;
}

}  // namespace

// Each architecture has two objects, one a kernel; those of "rope" stand for both.
int code_object_count() {
  int count = 0;
  for (std::int32_t i = 0; i < hiprope_code_object_total; ++i) {
    count += std::strcmp(hiprope_code_objects[i].kernel, kKernels[0]) == 0;
  }
  return count;
}

const char* code_object_architecture(int index) {
  for (std::int32_t i = 0; i < hiprope_code_object_total; ++i) {
    if (std::strcmp(hiprope_code_objects[i].kernel, kKernels[0]) == 0 && index-- == 0) {
      return hiprope_code_objects[i].architecture;
    }
  }
  return nullptr;
}

bool has_code_object(const char* architecture) {
  return find_code_object(kKernels[0], architecture) != nullptr;
}

hipError_t take_kernels(int device, const char* architecture, Kernels*& kernels, KernelSupport& support) {
  support = {true, ""};
  if (!has_code_object(architecture)) {
    support = {false, "no code object for this architecture is embedded"};
    return hipSuccess;
  }
  const Lock lock;
  for (Kernels* held = list; held != nullptr; held = held->next) {
    if (held->device != device) continue;
    ++held->uses;
    kernels = held;
    return hipSuccess;
  }
  auto* const made = new (std::nothrow) Kernels{device, 1, list, {}, {}};
  if (made == nullptr) return hipErrorOutOfMemory;
  const hipError_t error = load(*made, architecture);
  if (error == hipSuccess) {
    list = kernels = made;
    return hipSuccess;
  }
  (void)hipGetLastError();
  unload(made);
  if (error == hipErrorOutOfMemory) return error;  // which says nothing about what the GPU can run
  support = {false, ""};
  join(support.reason, {"the runtime did not load the embedded code object: ", hipGetErrorName(error)});
  return hipSuccess;
}

void release_kernels(Kernels* kernels) {
  if (kernels == nullptr) return;
  const Lock lock;
  if (--kernels->uses != 0) return;
  for (Kernels** link = &list; *link != nullptr; link = &(*link)->next) {
    if (*link != kernels) continue;
    *link = kernels->next;
    break;
  }
  unload(kernels);
}

}  // namespace hiprope::internal::gpu
