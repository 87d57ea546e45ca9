# Installs the headers, the library, the hiprope command and what find_package and pkg-config read.
include(CMakePackageConfigHelpers)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hiprope)
install(TARGETS hiprope EXPORT hiprope)
install(DIRECTORY include/hiprope DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(EXPORT hiprope NAMESPACE hiprope:: FILE hipropeTargets.cmake DESTINATION ${config_dir})
if(TARGET hiprope_cli)
  file(RELATIVE_PATH to_library /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
  set_target_properties(hiprope_cli PROPERTIES INSTALL_RPATH $ORIGIN/${to_library})
  install(TARGETS hiprope_cli)
endif()

get_target_property(library_type hiprope TYPE)
configure_package_config_file(cmake/hipropeConfig.cmake.in hipropeConfig.cmake INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(hipropeConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hipropeConfig.cmake ${PROJECT_BINARY_DIR}/hipropeConfigVersion.cmake
        DESTINATION ${config_dir})

# A static library's user links what it links; a shared one carries that itself.
set(pc_private -lstdc++ -lm)
if(HIPROPE_OPENMP)
  list(APPEND pc_private ${OpenMP_CXX_FLAGS})
endif()
if(HIPROPE_PLATFORM_CHOSEN STREQUAL "amd")
  list(APPEND pc_private -L${hip_LIB_INSTALL_DIR} -lamdhip64)
elseif(HIPROPE_PLATFORM_CHOSEN STREQUAL "nvidia")
  list(APPEND pc_private -L${CUDAToolkit_LIBRARY_DIR} -lcudart_static -lpthread -ldl -lrt)
endif()
list(JOIN pc_private " " pc_private)
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/hiprope.pc.in hiprope.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/hiprope.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
