#include "hellocnn/data/idx.h"

#include <zlib.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kExtentBytes = 4;
constexpr int kMaxDimensions = 4;
constexpr int kTypeUint8 = 0x08;

struct CloseGzip {
  void operator()(gzFile file) const { gzclose_r(file); }
};
using GzipFile = std::unique_ptr<gzFile_s, CloseGzip>;

std::uint32_t BigEndian32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

// Returns the whole file, decompressed. Takes memory in proportion to the actual data, not to the
// sizes that a header claims.
absl::StatusOr<std::string> ReadDecompressed(const std::string& path) {
  errno = 0;
  const GzipFile file(gzopen(path.c_str(), "rb"));
  if (file == nullptr) {
    // zlib leaves it at 0 if it has no memory.
    return FileError(errno == 0 ? ENOMEM : errno, path, "cannot be opened");
  }
  std::string bytes;
  while (true) {
    const std::size_t before = bytes.size();
    if (before >= kMaxFileBytes) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": holds ", kMaxFileBytes, " bytes or more; wanted fewer"));
    }
    bytes.resize(before + kChunkBytes);
    const int got = gzread(file.get(), bytes.data() + before, kChunkBytes);
    bytes.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    // For a truncated gzip stream, zlib returns the last bytes first and only then an error.
    int code = Z_OK;
    const std::string message = gzerror(file.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
      const int error = errno;
      if (code == Z_ERRNO && error != 0) return FileError(error, path, "cannot be read");
      return absl::InvalidArgumentError(absl::StrCat(path, ": cannot be read after ", bytes.size(),
                                                     " bytes of content: ", message));
    }
    if (got == 0) return bytes;
  }
}

// Reads the file `stem`, or `stem`.gz if the former does not exist. Sets `used` to the name of the
// file that was read.
absl::StatusOr<IdxArray> ReadPlainOrGzipped(const std::string& stem, std::string& used) {
  used = stem;
  absl::StatusOr<IdxArray> plain = ReadIdx(used);
  if (!absl::IsNotFound(plain.status())) return plain;
  used = stem + ".gz";
  absl::StatusOr<IdxArray> gzipped = ReadIdx(used);
  if (!absl::IsNotFound(gzipped.status())) return gzipped;
  return absl::NotFoundError(absl::StrCat(stem, ": no such file, with or without .gz"));
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadDecompressed(path);
  if (!bytes.ok()) return bytes.status();
  return ParseIdx(path, *bytes);
}

absl::StatusOr<IdxArray> ParseIdx(const std::string& name, const std::string& bytes) {
  if (bytes.size() < kMagicBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": found ", bytes.size(), " bytes; wanted an IDX header of at least ", kMagicBytes));
  }
  const std::uint32_t magic = BigEndian32(bytes.data());
  if (magic >> 16 != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: starts with 0x%08x; wanted IDX magic 0x000008NN, NN being the number of dimensions",
        name, magic));
  }
  const int type = static_cast<int>(magic >> 8 & 0xFF);
  if (type != kTypeUint8) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: IDX type is 0x%02x; wanted 0x%02x, uint8", name, type, kTypeUint8));
  }
  const int dimensions = static_cast<int>(magic & 0xFF);
  if (dimensions < 1 || dimensions > kMaxDimensions) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": has ", dimensions, " dimensions; wanted 1 to ", kMaxDimensions));
  }
  const std::size_t header = kMagicBytes + kExtentBytes * static_cast<std::size_t>(dimensions);
  if (bytes.size() < header) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": found ", bytes.size(),
                                                   " bytes; wanted a header of ", header, " for ",
                                                   dimensions, " dimensions"));
  }
  IdxArray array;
  std::uint64_t wanted = 1;
  bool overflow = false;
  for (int i = 0; i < dimensions; ++i) {
    const char* extent = bytes.data() + kMagicBytes + kExtentBytes * static_cast<std::size_t>(i);
    array.shape.push_back(BigEndian32(extent));
    overflow |= __builtin_mul_overflow(wanted, BigEndian32(extent), &wanted);
  }
  const std::size_t found = bytes.size() - header;
  if (overflow || wanted != found) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": has ", found, " bytes of values; its shape ", ShapeToString(array.shape),
        " wants ", overflow ? std::string("more than 2^64") : absl::StrCat(wanted)));
  }
  array.values.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return array;
}

absl::StatusOr<LabeledImages> ReadMnist(const std::string& directory, const std::string& prefix,
                                        int classes) {
  std::string images_path;
  std::string labels_path;
  absl::StatusOr<IdxArray> images =
      ReadPlainOrGzipped(absl::StrCat(directory, "/", prefix, "-images-idx3-ubyte"), images_path);
  if (!images.ok()) return images.status();
  absl::StatusOr<IdxArray> labels =
      ReadPlainOrGzipped(absl::StrCat(directory, "/", prefix, "-labels-idx1-ubyte"), labels_path);
  if (!labels.ok()) return labels.status();

  constexpr std::int64_t kMaxSide = std::numeric_limits<std::uint16_t>::max();
  const std::vector<std::int64_t>& shape = images->shape;
  if (shape.size() != 3 || shape[1] < 1 || shape[1] > kMaxSide || shape[2] < 1 ||
      shape[2] > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat(images_path, ": shape is ", ShapeToString(shape),
                     "; wanted [count, rows, columns], each side 1 to ", kMaxSide));
  }
  if (labels->shape.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(labels_path, ": shape is ", ShapeToString(labels->shape), "; wanted [count]"));
  }
  if (labels->shape[0] != shape[0]) {
    return absl::InvalidArgumentError(absl::StrCat(labels_path, ": has ", labels->shape[0],
                                                   " labels; wanted ", shape[0],
                                                   ", one for each image of ", images_path));
  }
  for (std::size_t i = 0; i < labels->values.size(); ++i) {
    if (labels->values[i] >= classes) {
      return absl::InvalidArgumentError(absl::StrCat(labels_path, ": label ", i, " is ",
                                                     static_cast<int>(labels->values[i]),
                                                     "; wanted 0 to ", classes - 1));
    }
  }
  return LabeledImages{static_cast<int>(shape[1]), static_cast<int>(shape[2]),
                       std::move(images->values), std::move(labels->values)};
}

}  // namespace hellocnn
