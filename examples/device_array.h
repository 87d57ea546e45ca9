// An array on the first GPU, or in host memory where there is none: stands for the tensors of your engine.
#pragma once

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include "hiprope/hiprope.hpp"

#if defined(HIPROPE_PLATFORM_AMD)
#include <hip/hip_runtime_api.h>
inline bool copy_to_gpu(void** gpu, const void* host, std::size_t bytes) {
  return hipMalloc(gpu, bytes) == hipSuccess && hipMemcpy(*gpu, host, bytes, hipMemcpyHostToDevice) == hipSuccess;
}
inline void free_gpu(void* gpu) {
  static_cast<void>(hipFree(gpu));
}
#elif defined(HIPROPE_PLATFORM_NVIDIA)
#include <cuda_runtime_api.h>
inline bool copy_to_gpu(void** gpu, const void* host, std::size_t bytes) {
  return cudaMalloc(gpu, bytes) == cudaSuccess && cudaMemcpy(*gpu, host, bytes, cudaMemcpyHostToDevice) == cudaSuccess;
}
inline void free_gpu(void* gpu) {
  static_cast<void>(cudaFree(gpu));
}
#else
inline bool copy_to_gpu(void**, const void*, std::size_t) {
  return false;
}
inline void free_gpu(void*) {}
#endif

inline hiprope::Device best_device() {
  std::int32_t gpus = 0;
  return hiprope_device_count(&gpus) == hiprope_ok && gpus > 0 ? hiprope::Device::gpu() : hiprope::Device::cpu();
}

template <typename Element>
class DeviceArray {
 public:
  explicit DeviceArray(std::vector<Element> values) : host_(std::move(values)) {
    if (best_device().ordinal < 0) return;
    if (!copy_to_gpu(&gpu_, host_.data(), host_.size() * sizeof(Element))) throw std::bad_alloc();
  }
  ~DeviceArray() {
    if (gpu_ != nullptr) free_gpu(gpu_);
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  Element* data() { return gpu_ != nullptr ? static_cast<Element*>(gpu_) : host_.data(); }

 private:
  std::vector<Element> host_;
  void* gpu_ = nullptr;
};
