// A file in memory, for parsers that open a path.
#ifndef HELLOCNN_FUZZ_MEMORY_FILE_H_
#define HELLOCNN_FUZZ_MEMORY_FILE_H_

#include <string>
#include <string_view>

namespace hellocnn::fuzz {

// Thread-compatible. Aborts if the system gives no such file.
class MemoryFile {
 public:
  MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile();

  // Makes `bytes` the content of the file.
  void Write(std::string_view bytes);

  // A path within /proc; of this process only.
  const std::string& path() const { return path_; }

 private:
  int descriptor_;
  std::string path_;
};

// A directory where temporary files go (TMPDIR), removed with its files in the destructor.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace hellocnn::fuzz

#endif  // HELLOCNN_FUZZ_MEMORY_FILE_H_
