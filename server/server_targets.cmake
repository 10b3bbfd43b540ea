# The composition root: the only place where all parts meet.
hellocnn_library(hellocnn_server_lib
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/server.cc ${CMAKE_CURRENT_LIST_DIR}/warm_up.cc
  PUBLIC hellocnn_options hellocnn_core absl::status absl::statusor absl::synchronization
  PRIVATE hellocnn_rpc hellocnn_batching hellocnn_telemetry hellocnn_pytorch hellocnn_torch absl::strings)
hellocnn_program(hellocnn-server
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/main.cc
  LINK hellocnn_server_lib hellocnn_options hellocnn_telemetry)
