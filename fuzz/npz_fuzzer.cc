// Archives of NumPy's arrays. Input: the file.
#include <string>

#include "datasets/npy.h"
#include "datasets/npz_file.h"
#include "fuzz/check.h"
#include "fuzz/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  static auto* const file = new fuzz::MemoryFile();
  file->Write(fuzz::AsString(data, size));
  absl::StatusOr<NpzFile> archive = NpzFile::Open(file->path());
  if (!archive.ok()) {
    fuzz::RequireGoodError(archive.status(), file->path() + ": ");
    return 0;
  }
  for (const std::string& name : archive->names()) {
    const absl::StatusOr<std::string> bytes = archive->Read(name, kMostBytes);
    if (!bytes.ok()) {
      fuzz::RequireGoodError(bytes.status(), file->path() + ": ");
      continue;
    }
    fuzz::Require(bytes->size() <= kMostBytes, "a record is larger than its bound");
    const absl::StatusOr<NpyArray> array = ParseNpy("record", *bytes);
    if (!array.ok()) fuzz::RequireGoodError(array.status(), "record: ");
  }
  return 0;
}
