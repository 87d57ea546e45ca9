# Compiles the layer kernels for every architecture the library has kernels for, and embeds them in a target.

# hiprope_embed_layer_kernels(target): adds the table hiprope_layer_objects, which bench/bench_gpu.cpp reads.
function(hiprope_embed_layer_kernels target)
  set(CMAKE_MESSAGE_LOG_LEVEL WARNING)  # the library has already said which compiler builds what
  set(directory ${PROJECT_BINARY_DIR}/bench/kernels)
  set(source ${PROJECT_SOURCE_DIR}/bench/layer.hip)
  file(MAKE_DIRECTORY ${directory})
  set(code_object_entries "")
  set(files "")
  if(HIPROPE_PLATFORM_CHOSEN STREQUAL "amd")
    set(architectures ${HIPROPE_ARCHITECTURES})
    hiprope_choose_device_compilers()
  else()
    set(architectures sm)
    hiprope_choose_cuda_architectures()
  endif()
  foreach(architecture IN LISTS architectures)
    set(file ${directory}/layer.${architecture})
    if(HIPROPE_PLATFORM_CHOSEN STREQUAL "amd")
      set(dependencies -Xclang -dependency-file -Xclang ${file}.d -Xclang -MT -Xclang ${file})
    else()
      set(dependencies -MD -MF ${file}.d -MT ${file})
    endif()
    add_custom_command(
      OUTPUT ${file}
      COMMAND ${HIPROPE_COMPILE_${architecture}} -I${PROJECT_SOURCE_DIR} ${dependencies} -o ${file} ${source}
      DEPENDS ${source}
      DEPFILE ${file}.d
      COMMENT "Compiling the layer kernels for ${architecture}"
      VERBATIM)
    list(APPEND files ${file})
    string(APPEND code_object_entries "code_object ${architecture}, layer, ${file}\n")
  endforeach()
  list(LENGTH files code_object_total)
  file(READ ${PROJECT_SOURCE_DIR}/cmake/code_objects.S.in assembly)
  string(REPLACE hiprope_code_object hiprope_layer_object assembly "${assembly}")
  string(CONFIGURE "${assembly}" assembly @ONLY)
  file(CONFIGURE OUTPUT ${directory}/layer_objects.S CONTENT "${assembly}" @ONLY)
  set_source_files_properties(${directory}/layer_objects.S PROPERTIES OBJECT_DEPENDS "${files}")
  target_sources(${target} PRIVATE ${directory}/layer_objects.S)
endfunction()
