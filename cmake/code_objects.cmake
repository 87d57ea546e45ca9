# Compiles the kernels to code objects, one for each architecture, and embeds them in the library.

set(kernel_names rope position_embeddings)
set(kernel_build_dir ${PROJECT_BINARY_DIR}/kernels)
file(MAKE_DIRECTORY ${kernel_build_dir})
# Included here, so that the directories below the top one see the compilers too.
if(HIPROPE_PLATFORM_CHOSEN STREQUAL "amd")
  include(amd_compilers)
else()
  include(nvidia_compiler)
endif()

# hiprope_add_code_object(kernel architecture file command...): builds file from kernels/<kernel>.hip and adds it to the
# embedded ones. The command takes the source and the output last.
macro(hiprope_add_code_object kernel architecture file)
  add_custom_command(
    OUTPUT ${kernel_build_dir}/${file}
    COMMAND ${ARGN} -o ${kernel_build_dir}/${file} ${PROJECT_SOURCE_DIR}/kernels/${kernel}.hip
    DEPENDS ${PROJECT_SOURCE_DIR}/kernels/${kernel}.hip
    DEPFILE ${kernel_build_dir}/${file}.d
    COMMENT "Compiling kernel ${file}"
    VERBATIM)
  list(APPEND code_object_files ${kernel_build_dir}/${file})
  string(APPEND code_object_entries "code_object ${architecture}, ${kernel}, ${kernel_build_dir}/${file}\n")
endmacro()

# hiprope_embed_code_objects(target): adds the code objects of the chosen platform to target as read-only data.
function(hiprope_embed_code_objects target)
  set(warnings -Wall -Wextra)
  if(HIPROPE_PLATFORM_CHOSEN STREQUAL "amd")
    if(HIPROPE_WERROR)
      list(APPEND warnings -Werror)
    endif()
    hiprope_choose_device_compilers()
    set(HIPROPE_ARCHITECTURES ${HIPROPE_ARCHITECTURES} PARENT_SCOPE)
    foreach(architecture IN LISTS HIPROPE_ARCHITECTURES)
      foreach(kernel IN LISTS kernel_names)
        set(file ${kernel}_kernel.${architecture}.hsaco)
        # The driver's own -MF is ignored by some versions for device code, so the compiler proper is asked.
        hiprope_add_code_object(${kernel} ${architecture} ${file}
          ${HIPROPE_COMPILE_${architecture}} ${warnings}
          -Xclang -dependency-file -Xclang ${kernel_build_dir}/${file}.d
          -Xclang -MT -Xclang ${kernel_build_dir}/${file})
      endforeach()
    endforeach()
  else()
    if(HIPROPE_WERROR)
      list(APPEND warnings -Werror=all-warnings)
    endif()
    list(TRANSFORM warnings REPLACE "^-W(all|extra)$" "-Xcompiler=-W\\1")
    hiprope_choose_cuda_architectures()
    foreach(kernel IN LISTS kernel_names)
      set(file ${kernel}_kernel.fatbin)
      hiprope_add_code_object(${kernel} sm ${file}
        ${HIPROPE_COMPILE_sm} ${warnings}
        -MD -MF ${kernel_build_dir}/${file}.d -MT ${kernel_build_dir}/${file})
    endforeach()
  endif()

  list(LENGTH code_object_files code_object_total)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/code_objects.S.in ${kernel_build_dir}/code_objects.S @ONLY)
  set_source_files_properties(${kernel_build_dir}/code_objects.S PROPERTIES OBJECT_DEPENDS "${code_object_files}")
  target_sources(${target} PRIVATE ${kernel_build_dir}/code_objects.S)
  add_custom_target(hiprope_kernels ALL DEPENDS ${code_object_files})
  add_dependencies(${target} hiprope_kernels)
endfunction()
