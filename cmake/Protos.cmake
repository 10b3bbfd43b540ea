# hellocnn_protos(target ROOT dir FILES a/b.proto …): a library of the generated messages and services.
# Generated code is compiled without this project's warnings. The target hellocnn_generated makes all generated code and compiles nothing.
add_custom_target(hellocnn_generated)
function(hellocnn_protos target)
  cmake_parse_arguments(ARG "NO_SERVICES" "ROOT" "FILES" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${out})
  set(sources)
  foreach(file IN LISTS ARG_FILES)
    string(REGEX REPLACE "\\.proto$" "" stem ${file})
    set(generated ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(services)
    if(NOT ARG_NO_SERVICES)
      list(APPEND generated ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(services --grpc_out=${out} --plugin=protoc-gen-grpc=${HELLOCNN_GRPC_CPP_PLUGIN})
    endif()
    add_custom_command(
      OUTPUT ${generated}
      COMMAND ${HELLOCNN_PROTOC} -I ${ARG_ROOT} --cpp_out=${out} ${services} ${ARG_ROOT}/${file}
      DEPENDS ${ARG_ROOT}/${file}
      COMMENT "Generating C++ from ${file}"
      VERBATIM)
    list(APPEND sources ${generated})
  endforeach()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} SYSTEM PUBLIC $<BUILD_INTERFACE:${out}>)
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf)
  if(NOT ARG_NO_SERVICES)
    target_link_libraries(${target} PUBLIC gRPC::grpc++)
  endif()
  add_custom_target(${target}_generated DEPENDS ${generated})
  add_dependencies(${target} ${target}_generated)
  add_dependencies(hellocnn_generated ${target}_generated)
endfunction()
