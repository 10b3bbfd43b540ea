# `cpack`: packages for the Debian that it runs on. CMakePresets.json has `package`, which builds what is in them and nothing else.
#
#   hellocnn-server         the server, its unit and configuration, the command line, the model, manual pages, completions, documents
#   hellocnn-server-torch   what needs LibTorch: the engines and the trainer; only if HELLOCNN_BUILD_TORCH is ON
#
# The files that only a package has are left out by `cmake --install`.
if(NOT PROJECT_IS_TOP_LEVEL OR NOT TARGET hellocnn-server OR CMAKE_CROSSCOMPILING)
  return()
endif()

set(HELLOCNN_PACKAGE_MAINTAINER "HelloCNN Serving <hellocnn@localhost>" CACHE STRING
  "Name and address of whoever answers for the packages that cpack makes")

set(_debian ${PROJECT_BINARY_DIR}/debian)
set(_documents ${CMAKE_INSTALL_DATADIR}/doc/hellocnn-server)

# A package has the changes of the program and those of itself.
string(TIMESTAMP _date "%a, %d %b %Y %H:%M:%S +0000" UTC)
foreach(_package hellocnn-server hellocnn-server-torch)
  file(CONFIGURE OUTPUT ${_debian}/${_package}/changelog.Debian CONTENT
"@_package@ (@PROJECT_VERSION@-1) unstable; urgency=medium

  * Version @PROJECT_VERSION@: see changelog.gz of hellocnn-server.

 -- @HELLOCNN_PACKAGE_MAINTAINER@  @_date@
" @ONLY)
endforeach()

set(_service COMPONENT service EXCLUDE_FROM_ALL)
install(FILES deploy/systemd/hellocnn-server.service DESTINATION lib/systemd/system ${_service})
install(FILES deploy/systemd/server.toml DESTINATION /etc/hellocnn ${_service})
install(DIRECTORY DESTINATION /var/lib/hellocnn ${_service})
install(FILES deploy/debian/copyright ${_debian}/hellocnn-server/changelog.Debian README.md DESTINATION ${_documents} ${_service})
install(FILES CHANGELOG.md DESTINATION ${_documents} RENAME changelog ${_service})
install(DIRECTORY docs DESTINATION ${_documents} ${_service}
  FILES_MATCHING PATTERN "*.md" PATTERN adr EXCLUDE PATTERN images EXCLUDE)
install(FILES deploy/systemd/tls.conf DESTINATION ${_documents}/examples ${_service})
install(FILES deploy/debian/hellocnn-server.lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
  RENAME hellocnn-server ${_service})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hellocnn-server)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "gRPC inference server for handwritten digits")
set(CPACK_PACKAGE_VENDOR "HelloCNN Serving")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/arrange_package.cmake)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_COMPONENTS_ALL programs service)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER ${HELLOCNN_PACKAGE_MAINTAINER})
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME hellocnn-server)
# The unit's ExecReload is procps' /bin/kill.
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS procps)
string(CONCAT CPACK_DEBIAN_SERVER_DESCRIPTION
  "HelloCNN Serving batches requests over gRPC, HTTP and JSON for one small\n"
  "neural network, and speaks the Open Inference Protocol.\n"
  ".\n"
  "This package has the server as a service of systemd, the command line\n"
  "hellocnn, and weights that were trained on MNIST.")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA
  ${PROJECT_SOURCE_DIR}/deploy/debian/postinst ${PROJECT_SOURCE_DIR}/deploy/debian/prerm
  ${PROJECT_SOURCE_DIR}/deploy/debian/postrm ${PROJECT_SOURCE_DIR}/deploy/debian/conffiles)

if(TARGET hellocnn_torch_module)
  list(APPEND CPACK_COMPONENTS_ALL torch torch_service)
  set(_torch COMPONENT torch_service EXCLUDE_FROM_ALL)
  install(FILES deploy/systemd/torch.conf DESTINATION lib/systemd/system/hellocnn-server.service.d ${_torch})
  install(FILES deploy/debian/copyright ${_debian}/hellocnn-server-torch/changelog.Debian
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/hellocnn-server-torch ${_torch})
  install(FILES deploy/debian/hellocnn-server-torch.lintian-overrides DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides
    RENAME hellocnn-server-torch ${_torch})
  set(CPACK_DEBIAN_TORCH_PACKAGE_NAME hellocnn-server-torch)
  # C++ types cross the border between the two: ADR 7.
  set(CPACK_DEBIAN_TORCH_PACKAGE_DEPENDS "hellocnn-server (= ${PROJECT_VERSION}-1)")
  string(CONCAT CPACK_DEBIAN_TORCH_DESCRIPTION
    "HelloCNN Serving needs LibTorch for its engines torch and torch-eager, and to\n"
    "train weights of its own.\n"
    ".\n"
    "This package has these engines and the program hellocnn-train. The server\n"
    "serves without them, and faster.")
endif()

include(CPack)
cpack_add_component(programs GROUP server)
cpack_add_component(service GROUP server)
cpack_add_component(torch GROUP torch)
cpack_add_component(torch_service GROUP torch)
cpack_add_component_group(server)
cpack_add_component_group(torch)
