# Run by CPack on the files of a package, before it makes the package of them.

# Where Debian's zsh looks.
file(GLOB_RECURSE _files LIST_DIRECTORIES true ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*)
foreach(_file IN LISTS _files)
  if(_file MATCHES "/share/zsh/site-functions$")
    string(REGEX REPLACE "site-functions$" "vendor-completions" _place ${_file})
    file(RENAME ${_file} ${_place})
  endif()
endforeach()

# Compressed, without a name or a time in them, so that building twice gives the same bytes.
foreach(_file IN LISTS _files)
  if(_file MATCHES "/share/(man/man1/.*\\.1|doc/[^/]+/changelog(\\.Debian)?)$")
    execute_process(COMMAND gzip -9nf ${_file} COMMAND_ERROR_IS_FATAL ANY)
  endif()
endforeach()
