# Cross-compiles for AArch64 with Debian's compiler, against the libraries that scripts/fetch-arm64.sh leaves in build/arm64.
# Tests run under qemu.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

set(HELLOCNN_ARM64_ROOT ${CMAKE_CURRENT_LIST_DIR}/../build/arm64)
set(CMAKE_FIND_ROOT_PATH ${HELLOCNN_ARM64_ROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# Shared libraries that others need are not named to the linker.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,-rpath-link,${HELLOCNN_ARM64_ROOT}/usr/lib/aarch64-linux-gnu)

set(CMAKE_CROSSCOMPILING_EMULATOR
    qemu-aarch64-static -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=${HELLOCNN_ARM64_ROOT}/usr/lib/aarch64-linux-gnu)
