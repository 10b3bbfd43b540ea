#include "base/standard_descriptors.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hellocnn {

// System calls without the C library's wrappers, because this also runs before sanitizers are ready
// to intercept those.
__attribute__((no_sanitize("address", "thread", "undefined"))) void OpenStandardDescriptors() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    if (syscall(SYS_fcntl, descriptor, F_GETFD) >= 0) continue;
    // It gets the lowest number that is free, which is this one.
    syscall(SYS_openat, AT_FDCWD, "/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

namespace {

// The loader calls what is in this section before the initializers of shared libraries, one of
// which, gRPC's, opens a descriptor and keeps it.
__attribute__((section(".preinit_array"),
               used)) void (*const kBeforeLibraries)() = OpenStandardDescriptors;

}  // namespace
}  // namespace hellocnn
