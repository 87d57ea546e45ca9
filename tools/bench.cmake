# The benchmark's share of the library of the tools.
target_sources(hiprope_tools PRIVATE
  bench.cpp bench_case.cpp bench_cpu.cpp bench_gpu.cpp bench_report.cpp bench_run.cpp
  ${PROJECT_SOURCE_DIR}/bench/cpu/touch.cpp)
# The touch loop of the CPU reads the structs of the CPU path.
set_source_files_properties(bench_cpu.cpp ${PROJECT_SOURCE_DIR}/bench/cpu/touch.cpp
  PROPERTIES INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/src;${PROJECT_SOURCE_DIR}/bench/cpu")
if(NOT HIPROPE_PLATFORM_CHOSEN STREQUAL "none")
  include(${CMAKE_CURRENT_LIST_DIR}/touch_kernels.cmake)
  hiprope_embed_touch_kernels(hiprope_tools)
  set_source_files_properties(bench_gpu.cpp PROPERTIES INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/src)
endif()
