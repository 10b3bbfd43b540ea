// Reads NumPy's format for one array, .npy: a header that is the literal of a Python dictionary,
// then the numbers. Nothing in a file is run.
#ifndef HELLOCNN_DATASETS_NPY_H_
#define HELLOCNN_DATASETS_NPY_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// What a .npy file begins with.
struct NpyHeader {
  enum class Kind { kBool, kUnsigned, kSigned, kFloat };

  Kind kind = Kind::kUnsigned;
  std::size_t item_bytes = 1;  // 1, 2, 4 or 8
  bool big_endian = false;
  bool fortran_order = false;  // the first index changes fastest, else the last
  std::vector<std::int64_t> shape;
  std::size_t bytes = 0;  // of the header itself

  // Returns NumPy's name of the type: "uint8".
  std::string type() const;
  // Returns the number of items, which ParseNpyHeader has checked.
  std::size_t items() const;
};

// An array, and the numbers as the file has them.
struct NpyArray {
  NpyHeader header;
  std::string bytes;  // of the whole file; the numbers begin at header.bytes

  // Returns the bits of item `index`, in the order of the file, as a number of item_bytes bytes.
  std::uint64_t Bits(std::size_t index) const;
};

// The most bytes of a file, with its header.
inline constexpr std::size_t kMaxNpyBytes = (std::size_t{1} << 30) + (std::size_t{1} << 16);

// Parses the header that `bytes` begins with, of format version 1, 2 or 3. `name` is the name of
// the file, for messages. INVALID_ARGUMENT: this is no such header, the type is none of Kind, as
// one of Python objects, there are more than 8 dimensions, or more than 1 GiB of numbers. The
// message begins with `name` and has the value found and the value wanted.
absl::StatusOr<NpyHeader> ParseNpyHeader(const std::string& name, std::string_view bytes);

// Takes a whole file in memory apart. INVALID_ARGUMENT: there are too few or too many numbers. Also
// returns the errors of ParseNpyHeader.
absl::StatusOr<NpyArray> ParseNpy(const std::string& name, std::string bytes);

// Reads a regular file of at most kMaxNpyBytes. Returns the errors of ReadFileStart and ParseNpy.
// Blocks on the disk.
absl::StatusOr<NpyArray> ReadNpy(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_NPY_H_
