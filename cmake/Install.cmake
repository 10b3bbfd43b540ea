# `cmake --install`: programs, protos, the served model, and the client library as a CMake package:
#   find_package(hellocnn) ; target_link_libraries(… hellocnn::client)
# and for pkg-config: pkg-config --cflags --libs hellocnn-client
include(CMakePackageConfigHelpers)

foreach(program hellocnn hellocnn-server hellocnn-train)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
if(TARGET hellocnn_torch_module)
  install(TARGETS hellocnn_torch_module LIBRARY DESTINATION lib/hellocnn)
endif()

# The client is static, so whoever links it needs the generated code that it calls, too.
set_target_properties(hellocnn_client PROPERTIES EXPORT_NAME client)
set_target_properties(hellocnn_protos PROPERTIES EXPORT_NAME protos)
set_target_properties(hellocnn_health_protos PROPERTIES EXPORT_NAME health_protos)
install(TARGETS hellocnn_client hellocnn_protos hellocnn_health_protos EXPORT hellocnn-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY client/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(DIRECTORY protos/ DESTINATION ${CMAKE_INSTALL_DATADIR}/hellocnn/protos FILES_MATCHING PATTERN "*.proto")
# Absent until it has been trained.
if(EXISTS ${PROJECT_SOURCE_DIR}/models/mnist/1)
  install(DIRECTORY models/mnist/1/ DESTINATION ${CMAKE_INSTALL_DATADIR}/hellocnn/models/mnist/1)
endif()

set(_package ${CMAKE_INSTALL_LIBDIR}/cmake/hellocnn)
install(EXPORT hellocnn-targets NAMESPACE hellocnn:: DESTINATION ${_package})
configure_package_config_file(cmake/hellocnn-config.cmake.in ${PROJECT_BINARY_DIR}/hellocnn-config.cmake
  INSTALL_DESTINATION ${_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hellocnn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hellocnn-config.cmake ${PROJECT_BINARY_DIR}/hellocnn-config-version.cmake
  DESTINATION ${_package})

# From where the file lies, so that an installed tree may be moved.
set(_pkgconfig ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PC_PREFIX_FROM_HERE /prefix/${_pkgconfig} /prefix)
string(REGEX REPLACE "/$" "" PC_PREFIX_FROM_HERE "${PC_PREFIX_FROM_HERE}")
configure_file(cmake/hellocnn-client.pc.in ${PROJECT_BINARY_DIR}/hellocnn-client.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/hellocnn-client.pc DESTINATION ${_pkgconfig})
