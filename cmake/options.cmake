# Warnings, sanitizers and coverage, the same for every target of the project.

if(HIPROPE_COVERAGE AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "HIPROPE_COVERAGE needs clang++, whose llvm-cov reads the counters; the preset asan sets it")
endif()

# hiprope_link_options(target): the sanitizers and coverage counters that target and what links it need.
function(hiprope_link_options target)
  list(JOIN HIPROPE_SANITIZE "," sanitizers)
  if(sanitizers)
    target_link_options(${target} PUBLIC -fsanitize=${sanitizers})
  endif()
  if(HIPROPE_COVERAGE)
    target_link_options(${target} PUBLIC -fprofile-instr-generate)
  endif()
endfunction()

# hiprope_options(target): compiles target with the project's warnings, sanitizers and coverage counters.
function(hiprope_options target)
  set(flags -Wall -Wextra -Wconversion -Wshadow)
  if(NOT HIPROPE_OPENMP)
    list(APPEND flags -Wno-unknown-pragmas -Wno-source-uses-openmp)  # g++'s name, then clang++'s
  endif()
  if(HIPROPE_WERROR)
    list(APPEND flags -Werror)
  endif()
  list(JOIN HIPROPE_SANITIZE "," sanitizers)
  if(sanitizers)  # -g1: lines for the reports, at half the compile time of -g
    list(APPEND flags -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer -g1)
  endif()
  if(HIPROPE_COVERAGE)
    list(APPEND flags -fprofile-instr-generate -fcoverage-mapping)
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:C,CXX>:${flags}>)
  hiprope_link_options(${target})
endfunction()
