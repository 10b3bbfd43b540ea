#include "fuzz/memory_file.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "fuzz/check.h"

namespace hellocnn::fuzz {

MemoryFile::MemoryFile() : descriptor_(memfd_create("fuzz", MFD_CLOEXEC)) {
  Require(descriptor_ >= 0, "memfd_create failed");
  path_ = absl::StrCat("/proc/self/fd/", descriptor_);
}

MemoryFile::~MemoryFile() { close(descriptor_); }

void MemoryFile::Write(std::string_view bytes) {
  Require(ftruncate(descriptor_, 0) == 0, "ftruncate failed");
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written =
        pwrite(descriptor_, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
    Require(written > 0, "pwrite failed");
    at += static_cast<std::size_t>(written);
  }
}

ScratchDirectory::ScratchDirectory() {
  std::error_code error;
  path_ =
      absl::StrCat(std::filesystem::temp_directory_path(error).string(), "/hellocnn_fuzz_XXXXXX");
  Require(mkdtemp(path_.data()) != nullptr, "mkdtemp failed", path_);
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

}  // namespace hellocnn::fuzz
