# Finds LibTorch and sets what find_package(Torch) sets, or says what is wrong with the one that was found, what is wanted and what
# to do. Without this, a LibTorch for CUDA ends in an error of its own about the CUDA toolkit, or links 2 GB of libraries; and one
# with the old ABI of std::string ends in undefined references, at the end of the build.
set(HELLOCNN_LIBTORCH_MINIMUM 1.13)  # Debian 12's

set(_torch_wanted "Wanted: LibTorch ${HELLOCNN_LIBTORCH_MINIMUM} or later, for the CPU, with the C++11 ABI.")
string(CONCAT _torch_advice
  "Do one of these:\n"
  "  - install Debian's libtorch-dev, as scripts/install-deps.sh does;\n"
  "  - unpack upstream's \"LibTorch, C++, CPU, cxx11 ABI\" and pass -DCMAKE_PREFIX_PATH=/path/to/libtorch;\n"
  "  - pass -DHELLOCNN_BUILD_TORCH=OFF: the server then has its SIMD engine only, which is the faster one.\n"
  "If Torch_DIR is in CMakeCache.txt, pass -UTorch_DIR with a new CMAKE_PREFIX_PATH.")

# Stops with the reason.
function(_torch_is_wrong found)
  message(FATAL_ERROR "${found}\n${_torch_wanted}\n${_torch_advice}")
endfunction()

# Where find_package(Torch) would look, before it runs what it finds there.
find_path(_torch_dir TorchConfig.cmake
  HINTS ${Torch_DIR} ENV Torch_DIR
  PATHS ${CMAKE_PREFIX_PATH}
  PATH_SUFFIXES share/cmake/Torch ../share/cmake/Torch lib/cmake/Torch ../lib/cmake/Torch
                ../lib/${CMAKE_LIBRARY_ARCHITECTURE}/cmake/Torch ../cmake/Torch
  NO_CACHE NO_CMAKE_FIND_ROOT_PATH)

if(_torch_dir)
  # …/share/cmake/Torch
  get_filename_component(_torch_root ${_torch_dir}/../../.. ABSOLUTE)
  file(GLOB _torch_gpu_libraries RELATIVE ${_torch_root}
    ${_torch_root}/lib/libtorch_cuda*.so* ${_torch_root}/lib/libc10_cuda*.so*
    ${_torch_root}/lib/libtorch_hip*.so* ${_torch_root}/lib/libc10_hip*.so*
    ${_torch_root}/lib/${CMAKE_LIBRARY_ARCHITECTURE}/libtorch_cuda*.so* ${_torch_root}/lib/${CMAKE_LIBRARY_ARCHITECTURE}/libtorch_hip*.so*)
  if(_torch_gpu_libraries)
    list(GET _torch_gpu_libraries 0 _torch_gpu_library)
    _torch_is_wrong("The LibTorch in ${_torch_root} is for GPUs: it has ${_torch_gpu_library}. It would need the toolkit of the GPU to be \
built against, and some 2 GB of libraries at run time, of which the engines use nothing.")
  endif()
  # Not run either, because it may refuse in its own words.
  if(EXISTS ${_torch_dir}/TorchConfigVersion.cmake)
    file(STRINGS ${_torch_dir}/TorchConfigVersion.cmake _torch_lines REGEX "set *\\( *PACKAGE_VERSION +\"?[0-9]")
    string(REGEX MATCH "[0-9][0-9.]*" _torch_found_version "${_torch_lines}")
    if(_torch_found_version AND _torch_found_version VERSION_LESS HELLOCNN_LIBTORCH_MINIMUM)
      _torch_is_wrong("The LibTorch in ${_torch_root} is version ${_torch_found_version}, which is too old.")
    endif()
  endif()
  file(STRINGS ${_torch_dir}/TorchConfig.cmake _torch_lines REGEX "_GLIBCXX_USE_CXX11_ABI=0")
  if(_torch_lines)
    _torch_is_wrong("The LibTorch in ${_torch_root} has the ABI from before C++11 (_GLIBCXX_USE_CXX11_ABI=0), and the other libraries have \
that of C++11: nothing that passes a std::string would link.")
  endif()
endif()

find_package(Torch QUIET)
if(NOT Torch_FOUND)
  if(_torch_dir)
    _torch_is_wrong("The LibTorch in ${_torch_root} cannot be used. CMake says: ${Torch_NOT_FOUND_MESSAGE}")
  endif()
  _torch_is_wrong("No LibTorch was found: there is no TorchConfig.cmake in CMAKE_PREFIX_PATH (\"${CMAKE_PREFIX_PATH}\"), in Torch_DIR \
(\"${Torch_DIR}\"), nor where the system has its packages.")
endif()

# Again, of what it has set: it may be another one than was looked at, or be written in another way.
if(TARGET torch_cuda OR TARGET torch_hip)
  _torch_is_wrong("The LibTorch in ${Torch_DIR} is for GPUs.")
endif()
set(_torch_flags "${TORCH_CXX_FLAGS}")
if(TARGET torch)
  foreach(_torch_property IN ITEMS INTERFACE_COMPILE_OPTIONS INTERFACE_COMPILE_DEFINITIONS)
    get_target_property(_torch_value torch ${_torch_property})
    string(APPEND _torch_flags " ${_torch_value}")
  endforeach()
endif()
if(_torch_flags MATCHES "_GLIBCXX_USE_CXX11_ABI=0")
  _torch_is_wrong("The LibTorch in ${Torch_DIR} has the ABI from before C++11 (_GLIBCXX_USE_CXX11_ABI=0), and the other libraries have \
that of C++11: nothing that passes a std::string would link.")
endif()
if(Torch_VERSION AND Torch_VERSION VERSION_LESS HELLOCNN_LIBTORCH_MINIMUM)
  _torch_is_wrong("The LibTorch in ${Torch_DIR} is version ${Torch_VERSION}, which is too old.")
endif()
