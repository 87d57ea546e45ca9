# The benchmark's share of the library of the tools.
set(bench_dir ${PROJECT_SOURCE_DIR}/bench)
target_sources(hiprope_tools PRIVATE
  ${bench_dir}/bench.cpp ${bench_dir}/bench_case.cpp ${bench_dir}/bench_check.cpp ${bench_dir}/bench_cpu.cpp
  ${bench_dir}/bench_gpu.cpp ${bench_dir}/bench_report.cpp ${bench_dir}/bench_run.cpp ${bench_dir}/touch_gpu.cpp
  ${bench_dir}/cpu/touch.cpp)
# The touch loop of the CPU reads the structs of the CPU path.
set_source_files_properties(${bench_dir}/bench_cpu.cpp ${bench_dir}/cpu/touch.cpp
  PROPERTIES INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/src;${PROJECT_SOURCE_DIR}/bench/cpu")
if(NOT HIPROPE_PLATFORM_CHOSEN STREQUAL "none")
  include(${CMAKE_CURRENT_LIST_DIR}/layer_kernels.cmake)
  hiprope_embed_layer_kernels(hiprope_tools)
  set_source_files_properties(${bench_dir}/bench_gpu.cpp PROPERTIES INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}/src)
endif()
