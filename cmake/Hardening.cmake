# HELLOCNN_HARDENING: what compiler and linker do to make a fault in memory end the program, and not become a way into it.
# It holds for all code that is compiled here, generated code too. docs/operations.md lists it for those who run the programs, and
# tests/hardening/ reads it from what was built.
#
# Flags that this compiler or this CPU does not have are left out: control-flow protection is -fcf-protection on x86-64 and
# -mbranch-protection on AArch64. Builds with sanitizers, which look for the same faults in another way, get none of it.
option(HELLOCNN_HARDENING "Compile and link with the protections of cmake/Hardening.cmake" ON)

# CMake compiles programs as position-independent code, but links them so only after this.
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

if(NOT HELLOCNN_HARDENING OR HELLOCNN_SANITIZERS)
  return()
endif()
include(CheckCXXCompilerFlag)
include(CheckLinkerFlag)

# Clang only warns of a flag for another CPU.
set(CMAKE_REQUIRED_FLAGS -Werror)
foreach(flag IN ITEMS
    -fstack-protector-strong -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "HELLOCNN_HAS${flag}" has)
  check_cxx_compiler_flag(${flag} ${has})
  if(${has})
    add_compile_options(${flag})
  endif()
endforeach()
unset(CMAKE_REQUIRED_FLAGS)
foreach(flag IN ITEMS -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
  string(MAKE_C_IDENTIFIER "HELLOCNN_HAS${flag}" has)
  check_linker_flag(CXX ${flag} ${has})
  if(${has})
    add_link_options(${flag})
  endif()
endforeach()

# Needs an optimiser. Some compilers have a level of their own, of which they would warn.
set(_optimised $<CONFIG:Release,RelWithDebInfo,MinSizeRel>)
add_compile_options($<${_optimised}:-U_FORTIFY_SOURCE> $<${_optimised}:-D_FORTIFY_SOURCE=2>)
# Not _GLIBCXX_ASSERTIONS: it checks an index in every step of the loops that take most of the time.
