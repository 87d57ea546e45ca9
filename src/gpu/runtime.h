// The GPU runtime under HIP's names: HIP itself on AMD, CUDA's runtime through thin functions on NVIDIA.
#pragma once

#if defined(HIPROPE_PLATFORM_AMD)

#include <hip/hip_runtime_api.h>

#elif defined(HIPROPE_PLATFORM_NVIDIA)

#include <cuda_runtime_api.h>

// HIP 5.2's own NVIDIA headers do not compile against CUDA 13, and only these names are needed.
using hipError_t = cudaError_t;
using hipStream_t = cudaStream_t;
using hipModule_t = cudaLibrary_t;
using hipFunction_t = cudaKernel_t;
using hipGraph_t = cudaGraph_t;
using hipGraphExec_t = cudaGraphExec_t;
using hipGraphNode_t = cudaGraphNode_t;
using hipEvent_t = cudaEvent_t;
using hipMemcpyKind = cudaMemcpyKind;
using hipDeviceAttribute_t = cudaDeviceAttr;
using hipStreamCaptureMode = cudaStreamCaptureMode;
using hipStreamCaptureStatus = cudaStreamCaptureStatus;

constexpr auto hipSuccess = cudaSuccess;
constexpr auto hipErrorNoDevice = cudaErrorNoDevice;
constexpr auto hipErrorInsufficientDriver = cudaErrorInsufficientDriver;
constexpr auto hipErrorOutOfMemory = cudaErrorMemoryAllocation;
constexpr auto hipDeviceAttributeL2CacheSize = cudaDevAttrL2CacheSize;
constexpr auto hipMemcpyHostToDevice = cudaMemcpyHostToDevice;
constexpr auto hipMemcpyDeviceToHost = cudaMemcpyDeviceToHost;
constexpr auto hipMemcpyDeviceToDevice = cudaMemcpyDeviceToDevice;
constexpr auto hipStreamCaptureModeGlobal = cudaStreamCaptureModeGlobal;
constexpr auto hipStreamCaptureModeThreadLocal = cudaStreamCaptureModeThreadLocal;
constexpr auto hipStreamCaptureModeRelaxed = cudaStreamCaptureModeRelaxed;
constexpr auto hipStreamCaptureStatusNone = cudaStreamCaptureStatusNone;
constexpr auto hipErrorStreamCaptureImplicit = cudaErrorStreamCaptureImplicit;
constexpr unsigned hipStreamNonBlocking = cudaStreamNonBlocking;

inline void* const HIP_LAUNCH_PARAM_BUFFER_POINTER = reinterpret_cast<void*>(1);
inline void* const HIP_LAUNCH_PARAM_BUFFER_SIZE = reinterpret_cast<void*>(2);
inline void* const HIP_LAUNCH_PARAM_END = reinterpret_cast<void*>(3);

inline const char* hipGetErrorName(hipError_t error) {
  return cudaGetErrorName(error);
}
inline const char* hipGetErrorString(hipError_t error) {
  return cudaGetErrorString(error);
}
inline hipError_t hipGetLastError() {
  return cudaGetLastError();
}
inline hipError_t hipGetDeviceCount(int* count) {
  return cudaGetDeviceCount(count);
}
inline hipError_t hipDriverGetVersion(int* version) {
  return cudaDriverGetVersion(version);
}
inline hipError_t hipRuntimeGetVersion(int* version) {
  return cudaRuntimeGetVersion(version);
}
inline hipError_t hipDeviceGetAttribute(int* value, hipDeviceAttribute_t attribute, int device) {
  return cudaDeviceGetAttribute(value, attribute, device);
}
inline hipError_t hipGetDevice(int* device) {
  return cudaGetDevice(device);
}
inline hipError_t hipSetDevice(int device) {
  return cudaSetDevice(device);
}
inline hipError_t hipDeviceSynchronize() {
  return cudaDeviceSynchronize();
}
inline hipError_t hipMemGetInfo(std::size_t* free, std::size_t* total) {
  return cudaMemGetInfo(free, total);
}
inline hipError_t hipMalloc(void** pointer, std::size_t bytes) {
  return cudaMalloc(pointer, bytes);
}
inline hipError_t hipFree(void* pointer) {
  return cudaFree(pointer);
}
inline hipError_t hipMemset(void* pointer, int value, std::size_t bytes) {
  return cudaMemset(pointer, value, bytes);
}
inline hipError_t hipMemsetAsync(void* pointer, int value, std::size_t bytes, hipStream_t stream) {
  return cudaMemsetAsync(pointer, value, bytes, stream);
}
inline hipError_t hipMemcpy(void* to, const void* from, std::size_t bytes, hipMemcpyKind kind) {
  return cudaMemcpy(to, from, bytes, kind);
}
inline hipError_t hipMemcpyAsync(void* to, const void* from, std::size_t bytes, hipMemcpyKind kind,
                                 hipStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, kind, stream);
}
inline hipError_t hipMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                                   std::size_t bytes, std::size_t rows, hipMemcpyKind kind, hipStream_t stream) {
  return cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, bytes, rows, kind, stream);
}
inline hipError_t hipStreamCreate(hipStream_t* stream) {
  return cudaStreamCreate(stream);
}
inline hipError_t hipStreamCreateWithFlags(hipStream_t* stream, unsigned flags) {
  return cudaStreamCreateWithFlags(stream, flags);
}
inline hipError_t hipStreamDestroy(hipStream_t stream) {
  return cudaStreamDestroy(stream);
}
inline hipError_t hipStreamSynchronize(hipStream_t stream) {
  return cudaStreamSynchronize(stream);
}
inline hipError_t hipStreamIsCapturing(hipStream_t stream, hipStreamCaptureStatus* status) {
  return cudaStreamIsCapturing(stream, status);
}
inline hipError_t hipStreamBeginCapture(hipStream_t stream, hipStreamCaptureMode mode) {
  return cudaStreamBeginCapture(stream, mode);
}
inline hipError_t hipStreamEndCapture(hipStream_t stream, hipGraph_t* graph) {
  return cudaStreamEndCapture(stream, graph);
}
inline hipError_t hipThreadExchangeStreamCaptureMode(hipStreamCaptureMode* mode) {
  return cudaThreadExchangeStreamCaptureMode(mode);
}
inline hipError_t hipGraphInstantiate(hipGraphExec_t* exec, hipGraph_t graph, hipGraphNode_t*, char*, std::size_t) {
  return cudaGraphInstantiate(exec, graph, 0);
}
inline hipError_t hipGraphLaunch(hipGraphExec_t exec, hipStream_t stream) {
  return cudaGraphLaunch(exec, stream);
}
inline hipError_t hipGraphDestroy(hipGraph_t graph) {
  return cudaGraphDestroy(graph);
}
inline hipError_t hipGraphExecDestroy(hipGraphExec_t exec) {
  return cudaGraphExecDestroy(exec);
}
inline hipError_t hipEventCreate(hipEvent_t* event) {
  return cudaEventCreate(event);
}
inline hipError_t hipEventDestroy(hipEvent_t event) {
  return cudaEventDestroy(event);
}
inline hipError_t hipEventRecord(hipEvent_t event, hipStream_t stream) {
  return cudaEventRecord(event, stream);
}
inline hipError_t hipEventSynchronize(hipEvent_t event) {
  return cudaEventSynchronize(event);
}
inline hipError_t hipEventElapsedTime(float* milliseconds, hipEvent_t start, hipEvent_t stop) {
  return cudaEventElapsedTime(milliseconds, start, stop);
}
inline hipError_t hipModuleLoadData(hipModule_t* module, const void* image) {
  return cudaLibraryLoadData(module, image, nullptr, nullptr, 0, nullptr, nullptr, 0);
}
inline hipError_t hipModuleUnload(hipModule_t module) {
  return cudaLibraryUnload(module);
}
// CUDA would load a kernel at its first launch, which may be inside a capture; asking for its attributes loads it here.
inline hipError_t hipModuleGetFunction(hipFunction_t* function, hipModule_t module, const char* name) {
  const hipError_t error = cudaLibraryGetKernel(function, module, name);
  if (error != cudaSuccess) return error;
  cudaFuncAttributes attributes;
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(*function));
}
// `extra` is HIP's list: buffer pointer, pointer, buffer size, &size, end; the buffer is the kernel's one parameter.
inline hipError_t hipModuleLaunchKernel(hipFunction_t function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                        hipStream_t stream, void**, void** extra) {
  void* arguments[] = {extra[1]};
  return cudaLaunchKernel(reinterpret_cast<const void*>(function), dim3{grid_x, grid_y, grid_z},
                          dim3{block_x, block_y, block_z}, arguments, shared_bytes, stream);
}

#endif
