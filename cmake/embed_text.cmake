# Writes text files as a C++ file: cmake -DOUTPUT=… -DHEADER=… -DFILES="name=path;…" -P embed_text.cmake
#
# Each becomes a std::string_view of that name in namespace hellocnn::server.
set(content "// Generated from text files.\n#include \"${HEADER}\"\n\nnamespace hellocnn::server {\n\n")
foreach(file IN LISTS FILES)
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${file}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" text)
  if(text MATCHES "\\)HELLOCNN\"")
    message(FATAL_ERROR "${file} has the end of a raw string")
  endif()
  string(APPEND content "const std::string_view ${name} = R\"HELLOCNN(${text})HELLOCNN\";\n\n")
endforeach()
string(APPEND content "}  // namespace hellocnn::server\n")
file(WRITE "${OUTPUT}" "${content}")
