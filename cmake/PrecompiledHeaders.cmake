# HELLOCNN_PRECOMPILE_HEADERS: headers from outside that most files include are parsed once, not once for each file.
# It hides a missing #include. The images are built without it (Dockerfile), which proves that each file of what is shipped includes
# what it uses.
#
# In here is what costs time to parse and leaves nothing behind. CLI11 and nlohmann_json would compile functions of theirs into
# each file, used or not.
if(NOT HELLOCNN_PRECOMPILE_HEADERS)
  return()
endif()

# hellocnn_precompile(owner HEADERS h … TARGETS target …): for the owner, and for those of the targets that exist.
function(hellocnn_precompile owner)
  cmake_parse_arguments(ARG "" "" "HEADERS;TARGETS" ${ARGN})
  target_precompile_headers(${owner} PRIVATE ${ARG_HEADERS})
  foreach(target IN LISTS owner ARG_TARGETS)
    if(TARGET ${target})
      # Compilers take such headers only with the options that they were made with, and libraries have -fPIC, programs -fPIE;
      # some get -pthread from what they link, some NOMINMAX from newer releases of Abseil. Where something else differs the
      # headers are read as text, with a warning.
      target_compile_options(${target} PRIVATE -fPIC -pthread -Wno-error=invalid-pch)
      target_compile_definitions(${target} PRIVATE NOMINMAX)
      if(NOT target STREQUAL owner)
        target_precompile_headers(${target} REUSE_FROM ${owner})
      endif()
    endif()
  endforeach()
endfunction()

# A library of nothing, to own headers. Those that have definitions of their own can't: everybody else would need them, too.
function(hellocnn_header_owner name)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/${name}.cc CONTENT "")
  add_library(${name} OBJECT ${PROJECT_BINARY_DIR}/${name}.cc)
  hellocnn_compile_options(${name})
  target_link_libraries(${name} PRIVATE
    absl::span absl::statusor absl::str_format absl::synchronization absl::time protobuf::libprotobuf gRPC::grpc++ ${ARGN})
endfunction()

get_property(_targets GLOBAL PROPERTY HELLOCNN_TARGETS)
set(_torch_targets hellocnn_torch hellocnn_training hellocnn-train hellocnn_torch_test hellocnn_training_test)
list(REMOVE_ITEM _targets ${_torch_targets})
set(_tests ${_targets})
list(FILTER _tests INCLUDE REGEX "_test$")
list(FILTER _targets EXCLUDE REGEX "_test$")

set(_headers
  <algorithm> <array> <atomic> <chrono> <cmath> <filesystem> <fstream> <functional> <iostream> <map> <memory> <mutex> <optional>
  <random> <span> <sstream> <string> <thread> <utility> <vector>
  <absl/status/statusor.h> <absl/strings/str_cat.h> <absl/strings/str_format.h> <absl/strings/str_join.h>
  <absl/synchronization/mutex.h> <absl/synchronization/notification.h> <absl/time/clock.h> <absl/types/span.h>
  <google/protobuf/message.h> <grpcpp/grpcpp.h>)
hellocnn_header_owner(hellocnn_headers)
hellocnn_precompile(hellocnn_headers HEADERS ${_headers} TARGETS ${_targets})
if(HELLOCNN_BUILD_TESTS)
  hellocnn_header_owner(hellocnn_test_headers GTest::gmock GTest::gtest)
  target_compile_options(hellocnn_test_headers PRIVATE "$<$<CONFIG:Release>:-O1;-Wno-array-bounds;-Wno-stringop-overflow>")  # as in tests/CMakeLists.txt
  hellocnn_precompile(hellocnn_test_headers HEADERS ${_headers} <gmock/gmock.h> <gtest/gtest.h> TARGETS ${_tests})
endif()
if(HELLOCNN_BUILD_TORCH)
  hellocnn_precompile(hellocnn_torch HEADERS <torch/torch.h> TARGETS ${_torch_targets})
endif()
