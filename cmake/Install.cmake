# `cmake --install`: programs, protos, the served model, and the client library as a CMake package. cmake/Package.cmake puts the
# component `programs`, and `torch` in a package of its own, into packages for Debian; `development` is the client library.
#   find_package(hellocnn) ; target_link_libraries(… hellocnn::client)
# and for pkg-config: pkg-config --cflags --libs hellocnn-client
# hellocnn::picture and hellocnn-picture prepare pictures for it.
include(CMakePackageConfigHelpers)

foreach(program hellocnn hellocnn-convert hellocnn-server)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
  endif()
endforeach()
if(TARGET hellocnn_torch_module)
  install(TARGETS hellocnn-train RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT torch)
  install(TARGETS hellocnn_torch_module LIBRARY DESTINATION lib/hellocnn COMPONENT torch)
endif()

# What shells and `man` know of the programs is made by asking them, so that it cannot go stale.
if(TARGET hellocnn AND NOT CMAKE_CROSSCOMPILING)
  set(_completions ${PROJECT_BINARY_DIR}/completions)
  add_custom_command(
    OUTPUT ${_completions}/hellocnn ${_completions}/_hellocnn ${_completions}/hellocnn.fish
    COMMAND ${CMAKE_COMMAND} -E make_directory ${_completions}
    COMMAND hellocnn completion bash > ${_completions}/hellocnn
    COMMAND hellocnn completion zsh > ${_completions}/_hellocnn
    COMMAND hellocnn completion fish > ${_completions}/hellocnn.fish
    DEPENDS hellocnn VERBATIM)
  add_custom_target(hellocnn_completions ALL DEPENDS ${_completions}/hellocnn)
  install(FILES ${_completions}/hellocnn DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT programs)
  install(FILES ${_completions}/_hellocnn DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT programs)
  install(FILES ${_completions}/hellocnn.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT programs)
endif()

# hellocnn_man_page(page program "what it does" [subcommand…]): page(1), out of its --help. Without help2man there is none.
find_program(HELP2MAN help2man)
function(hellocnn_man_page page program name)
  if(NOT HELP2MAN OR NOT TARGET ${program} OR CMAKE_CROSSCOMPILING)
    return()
  endif()
  set(out ${PROJECT_BINARY_DIR}/man/${page}.1)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
    COMMAND ${PROJECT_SOURCE_DIR}/cmake/man_page.sh ${HELP2MAN} $<TARGET_FILE:${program}> ${page} ${PROJECT_VERSION} ${name} ${out} ${ARGN}
    DEPENDS ${program} ${PROJECT_SOURCE_DIR}/cmake/man_page.sh VERBATIM)
  add_custom_target(man_${page} ALL DEPENDS ${out})
  set(component programs)
  if(program STREQUAL "hellocnn-train")
    set(component torch)
  endif()
  install(FILES ${out} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ${component})
endfunction()
hellocnn_man_page(hellocnn hellocnn "client of a HelloCNN server")
hellocnn_man_page(hellocnn-classify hellocnn "classify pictures of digits" classify)
hellocnn_man_page(hellocnn-evaluate hellocnn "accuracy over a test set" evaluate)
hellocnn_man_page(hellocnn-describe hellocnn "the network, layer by layer" describe)
hellocnn_man_page(hellocnn-model-create hellocnn "make a version that can be served out of a weight file" model create)
hellocnn_man_page(hellocnn-model-check hellocnn "check offline whether a server could serve versions" model check)
hellocnn_man_page(hellocnn-model-diff hellocnn "say what differs between two versions" model diff)
hellocnn_man_page(hellocnn-models hellocnn "list the models of a server" models)
hellocnn_man_page(hellocnn-health hellocnn "ask whether the server is ready" health)
hellocnn_man_page(hellocnn-load hellocnn "measure rate and latency under load" load)
hellocnn_man_page(hellocnn-load-compare hellocnn "compare two measurements" load compare)
hellocnn_man_page(hellocnn-tune hellocnn "search the flags of a server for the highest rate" tune)
hellocnn_man_page(hellocnn-token-new hellocnn "make a token for a server with access control" token new)
hellocnn_man_page(hellocnn-token-hash hellocnn "print the checksum of a token" token hash)
hellocnn_man_page(hellocnn-completion hellocnn "print a script for a shell" completion)
hellocnn_man_page(hellocnn-server hellocnn-server "serve HelloCNN over gRPC")
hellocnn_man_page(hellocnn-convert hellocnn-convert "convert weights from one format to another")
hellocnn_man_page(hellocnn-train hellocnn-train "train weights of one's own")

# The client is static, so whoever links it needs the generated code that it calls, too.
set_target_properties(hellocnn_client PROPERTIES EXPORT_NAME client)
set_target_properties(hellocnn_picture PROPERTIES EXPORT_NAME picture)
set_target_properties(hellocnn_protos PROPERTIES EXPORT_NAME protos)
set_target_properties(hellocnn_health_protos PROPERTIES EXPORT_NAME health_protos)
set_target_properties(hellocnn_base PROPERTIES EXPORT_NAME base)
install(TARGETS hellocnn_client hellocnn_picture hellocnn_base hellocnn_protos hellocnn_health_protos EXPORT hellocnn-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY client/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development FILES_MATCHING PATTERN "*.h")
install(DIRECTORY protos/ DESTINATION ${CMAKE_INSTALL_DATADIR}/hellocnn/protos COMPONENT programs FILES_MATCHING PATTERN "*.proto")
# Absent until it has been trained.
if(EXISTS ${PROJECT_SOURCE_DIR}/models/mnist/2)
  install(DIRECTORY models/mnist/2/ DESTINATION ${CMAKE_INSTALL_DATADIR}/hellocnn/models/mnist/2 COMPONENT programs)
endif()

set(_package ${CMAKE_INSTALL_LIBDIR}/cmake/hellocnn)
install(EXPORT hellocnn-targets NAMESPACE hellocnn:: DESTINATION ${_package} COMPONENT development)
configure_package_config_file(cmake/hellocnn-config.cmake.in ${PROJECT_BINARY_DIR}/hellocnn-config.cmake
  INSTALL_DESTINATION ${_package})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hellocnn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hellocnn-config.cmake ${PROJECT_BINARY_DIR}/hellocnn-config-version.cmake
  DESTINATION ${_package} COMPONENT development)

# From where the file lies, so that an installed tree may be moved.
set(_pkgconfig ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH PC_PREFIX_FROM_HERE /prefix/${_pkgconfig} /prefix)
string(REGEX REPLACE "/$" "" PC_PREFIX_FROM_HERE "${PC_PREFIX_FROM_HERE}")
foreach(_library client picture)
  configure_file(cmake/hellocnn-${_library}.pc.in ${PROJECT_BINARY_DIR}/hellocnn-${_library}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/hellocnn-${_library}.pc DESTINATION ${_pkgconfig} COMPONENT development)
endforeach()
