# Finds which compiler builds kernels for which AMD architecture.

# The architectures that kernels are built for unless GPU_TARGETS says otherwise.
set(listed_architectures
  gfx906   # Instinct MI50, MI60, Radeon VII
  gfx908   # Instinct MI100
  gfx90a   # Instinct MI210, MI250, MI250X
  gfx942   # Instinct MI300A, MI300X, MI325X
  gfx950   # Instinct MI350X, MI355X
  gfx1030  # Radeon RX 6800 to 6950, PRO W6800
  gfx1100  # Radeon RX 7900, PRO W7900
  gfx1101  # Radeon RX 7700, 7800, PRO W7700
  gfx1102  # Radeon RX 7600
  gfx1151  # Ryzen AI Max
  gfx1200  # Radeon RX 9060
  gfx1201  # Radeon RX 9070, AI PRO R9700
  gfx1250) # Instinct MI400 series

set(HIPROPE_DEVICE_COMPILERS hipcc amdclang++ clang++-19 clang++-22 clang++-21 clang++-20 clang++-18 clang++
    CACHE STRING "Compilers of AMD kernels, names or paths; an architecture is built by the first that can")

# hiprope_compile_command(variable compiler architecture): the command line up to the options of one file.
function(hiprope_compile_command variable compiler architecture)
  if(compiler MATCHES "hipcc$")
    # hipcc would otherwise look for the machine's GPUs or settle for CUDA.
    set(driver ${CMAKE_COMMAND} -E env HIP_PLATFORM=amd ${compiler} --genco)
  else()
    set(driver ${compiler} -x hip --cuda-device-only)
  endif()
  set(${variable} ${driver} --offload-arch=${architecture} --no-gpu-bundle-output -nogpuinc -nogpulib
      -mcode-object-version=4 -std=c++17 -O3 -ffp-contract=off PARENT_SCOPE)
endfunction()

# hiprope_probe(variable compiler architecture): whether compiler builds a kernel for architecture; else
# ${variable}_reason says why not. The answer is kept until the compiler changes.
function(hiprope_probe variable compiler architecture)
  file(REAL_PATH ${compiler} file)
  file(TIMESTAMP ${file} timestamp)
  string(MAKE_C_IDENTIFIER "HIPROPE_PROBE_${compiler}_${timestamp}_${architecture}" answer)
  if(NOT DEFINED ${answer})
    set(probe ${kernel_build_dir}/probe)
    file(WRITE ${probe}.hip [[
#include <cstdint>
#if defined(__GFX11__) && __clang_major__ < 17
#error this clang lacks the workarounds for hazards of gfx11; 17 and later have them
#endif
extern "C" __attribute__((global)) void probe(std::uint32_t* word) { *word = 1; }
]])
    hiprope_compile_command(command ${compiler} ${architecture})
    execute_process(COMMAND ${command} -o ${probe}.hsaco ${probe}.hip
                    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REGEX MATCH "error: [^\n;]*" reason "${output}")
    if(result EQUAL 0)
      set(reason built)
    elseif(NOT reason)
      set(reason "exit status ${result}")
    endif()
    set(${answer} "${reason}" CACHE INTERNAL "")
  endif()
  string(COMPARE EQUAL "${${answer}}" built built)
  set(${variable} ${built} PARENT_SCOPE)
  set(${variable}_reason "${${answer}}" PARENT_SCOPE)
endfunction()

# hiprope_choose_device_compilers(): sets HIPROPE_ARCHITECTURES and, for each, HIPROPE_COMPILE_<architecture>; prints
# what it chose.
function(hiprope_choose_device_compilers)
  set(compilers "")
  foreach(name IN LISTS HIPROPE_DEVICE_COMPILERS)
    unset(found)
    find_program(found ${name} HINTS ${hip_BIN_INSTALL_DIR} $ENV{ROCM_PATH} /opt/rocm PATH_SUFFIXES bin llvm/bin NO_CACHE)
    if(found)
      list(APPEND compilers ${found})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES compilers)

  # xnack and sramecc are left open in the code objects, which then load under any setting of them.
  set(requested ${GPU_TARGETS})
  list(TRANSFORM requested REPLACE ":.*" "")
  list(REMOVE_DUPLICATES requested)
  set(wanted ${requested})
  if(NOT wanted)
    set(wanted ${listed_architectures})
  endif()

  message(STATUS "hiprope kernels:")
  set(architectures "")
  foreach(architecture IN LISTS wanted)
    if(NOT architecture MATCHES "^gfx[0-9a-f]+$")
      message(FATAL_ERROR "GPU_TARGETS has '${architecture}', which is not the name of one architecture, as gfx942 is")
    endif()
    set(builder "")
    set(reasons "")
    foreach(compiler IN LISTS compilers)
      hiprope_probe(can ${compiler} ${architecture})
      if(can)
        set(builder ${compiler})
        break()
      endif()
      get_filename_component(name ${compiler} NAME)
      string(APPEND reasons "\n    ${compiler}: ${can_reason}")
      list(APPEND refused_by_${architecture} ${name})
    endforeach()
    string(SUBSTRING "${architecture}        " 0 8 column)
    if(builder)
      message(STATUS "  ${column}  ${builder}")
      list(APPEND architectures ${architecture})
      hiprope_compile_command(command ${builder} ${architecture})
      set(HIPROPE_COMPILE_${architecture} ${command} PARENT_SCOPE)
    elseif(requested)
      message(FATAL_ERROR "GPU_TARGETS asks for ${architecture}, which no compiler found here can build. Install a ROCm "
                          "that knows it, or a newer clang and lld (clang-22 and lld-22 know every listed one), or name "
                          "a compiler in HIPROPE_DEVICE_COMPILERS. Tried:${reasons}")
    else()
      list(JOIN refused_by_${architecture} ", " names)
      message(STATUS "  ${column}  left out: unknown to ${names}")
    endif()
  endforeach()
  if(NOT architectures)
    message(FATAL_ERROR "No compiler of AMD kernels was found. Install hipcc, or clang and lld 19 or later, or set "
                        "HIPROPE_DEVICE_COMPILERS or HIPROPE_PLATFORM=none. Looked for: ${HIPROPE_DEVICE_COMPILERS}")
  endif()
  set(HIPROPE_ARCHITECTURES ${architectures} PARENT_SCOPE)
endfunction()
