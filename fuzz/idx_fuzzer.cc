// IDX files, gzipped or not. Input: the file.
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "hellocnn/data/idx.h"

namespace hellocnn::fuzz {
namespace {

// Returns the file that has this content.
std::string Write(const IdxArray& array) {
  std::string bytes{'\0', '\0', array.is_int32 ? '\x0c' : '\x08',
                    static_cast<char>(array.shape.size())};
  for (const std::int64_t extent : array.shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift & 0xFF);
  }
  bytes.append(array.values.begin(), array.values.end());
  for (const std::int32_t value : array.integers) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift & 0xFF);
  }
  return bytes;
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  const std::string bytes = fuzz::AsString(data, size);
  static auto* const file = new fuzz::MemoryFile();
  const std::string& name = file->path();
  const absl::StatusOr<IdxArray> parsed = ParseIdx(name, bytes);
  if (parsed.ok()) {
    fuzz::Require(fuzz::Write(*parsed) == bytes, "another file is written than was read");
  } else {
    fuzz::RequireGoodError(parsed.status(), name + ": ");
  }

  file->Write(bytes);
  const absl::StatusOr<IdxArray> read = ReadIdx(name);
  if (!read.ok()) fuzz::RequireGoodError(read.status(), name + ": ");
  const bool gzipped = size >= 2 && data[0] == 0x1F && data[1] == 0x8B;
  if (gzipped) {
    if (!read.ok()) return 0;
    const absl::StatusOr<IdxArray> again = ParseIdx(name, fuzz::Write(*read));
    fuzz::Require(again.ok() && again->shape == read->shape && again->values == read->values &&
                      again->integers == read->integers,
                  "what was read cannot be read again");
  } else {
    // Of a file, no more is read than is allowed, so its error may be another.
    fuzz::Require(read.status().code() == parsed.status().code() &&
                      (!read.ok() || fuzz::Write(*read) == bytes),
                  "the file reads in another way than its bytes", read.status().ToString());
  }
  return 0;
}
