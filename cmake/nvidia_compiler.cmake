# Chooses the CUDA architectures and the nvcc command line that builds the kernels for all of them.

set(HIPROPE_CUDA_ARCHITECTURES "" CACHE STRING
    "Compute capabilities to build kernels for; empty: those of 80, 90, 100 and 120 that nvcc knows")

# hiprope_choose_cuda_architectures(): sets HIPROPE_COMPILE_sm, which also keeps the highest one's PTX for later GPUs.
function(hiprope_choose_cuda_architectures)
  execute_process(COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} --list-gpu-code OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
  set(architectures ${HIPROPE_CUDA_ARCHITECTURES})
  if(NOT architectures)
    foreach(architecture 80 90 100 120)
      if(known MATCHES "sm_${architecture}\n")
        list(APPEND architectures ${architecture})
      endif()
    endforeach()
  endif()
  list(SORT architectures COMPARE NATURAL)
  set(command ${CUDAToolkit_NVCC_EXECUTABLE} -fatbin -x cu -ccbin ${CMAKE_CXX_COMPILER} -std=c++17 -O3 -fmad=false --expt-relaxed-constexpr)
  foreach(architecture IN LISTS architectures)
    if(NOT known MATCHES "sm_${architecture}\n")
      message(FATAL_ERROR "HIPROPE_CUDA_ARCHITECTURES has '${architecture}', which ${CUDAToolkit_NVCC_EXECUTABLE} "
                          "does not know; it knows ${known}")
    endif()
    list(APPEND command -gencode arch=compute_${architecture},code=sm_${architecture})
  endforeach()
  list(GET architectures -1 highest)
  list(APPEND command -gencode arch=compute_${highest},code=compute_${highest})
  message(STATUS "hiprope kernels: sm ${architectures} and PTX by ${CUDAToolkit_NVCC_EXECUTABLE}")
  set(HIPROPE_COMPILE_sm ${command} PARENT_SCOPE)
endfunction()
