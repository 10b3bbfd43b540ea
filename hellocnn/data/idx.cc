#include "hellocnn/data/idx.h"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "hellocnn/data/dataset_files.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

// Those of a label for each image, also if there are several columns.
constexpr std::uint64_t kMaxLabelBytes = std::uint64_t{1} << 26;
constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr int kTypeUint8 = 0x08;
constexpr int kTypeInt32 = 0x0C;

std::uint32_t BigEndian32(const char* bytes) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(bytes[i]);
  return value;
}

// An IDX file, gzipped or not, which is read from front to back.
class File {
 public:
  // INVALID_ARGUMENT: it is not a regular file. Other errors are the system's.
  static absl::StatusOr<File> Open(const std::string& path) {
    const absl::StatusOr<int> descriptor = OpenRegularFile(path);
    if (!descriptor.ok()) return descriptor.status();
    Gzip gzip(gzdopen(*descriptor, "rb"));
    if (gzip == nullptr) {
      close(*descriptor);
      return FileError(ENOMEM, path, "cannot be opened");
    }
    return File(path, std::move(gzip));
  }

  // Appends the next `count` bytes of content to `bytes`, or fewer at the end. Takes memory in
  // proportion to what there is, not to `count`.
  absl::Status Append(std::size_t count, std::string& bytes) {
    while (count > 0) {
      const std::size_t before = bytes.size();
      const std::size_t wanted = std::min(count, kChunkBytes);
      bytes.resize(before + wanted);
      const int got = gzread(gzip_.get(), bytes.data() + before, static_cast<unsigned>(wanted));
      bytes.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
      // For a truncated gzip stream, zlib returns the last bytes first and only then an error.
      int code = Z_OK;
      const std::string message = gzerror(gzip_.get(), &code);
      if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
        const int error = errno;
        if (code == Z_ERRNO && error != 0) return FileError(error, path_, "cannot be read");
        return absl::InvalidArgumentError(absl::StrCat(
            path_, ": cannot be read after ", bytes.size(), " bytes of content: ", message));
      }
      if (got == 0) break;
      count -= static_cast<std::size_t>(got);
    }
    return absl::OkStatus();
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
  };
  using Gzip = std::unique_ptr<gzFile_s, Close>;

  File(std::string path, Gzip gzip) : path_(std::move(path)), gzip_(std::move(gzip)) {}

  std::string path_;
  Gzip gzip_;
};

// Returns the bytes that the values take, or nullopt if a 64-bit number does not hold that.
std::optional<std::uint64_t> ValueBytes(const IdxHeader& header) {
  std::uint64_t bytes = header.is_int32 ? sizeof(std::int32_t) : 1;
  bool overflow = false;
  for (const std::int64_t extent : header.shape) {
    overflow |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes);
  }
  return overflow ? std::nullopt : std::optional(bytes);
}

// Returns the error of a file whose values have `found` bytes, and not those that its header says.
absl::Status OtherSize(const std::string& name, const IdxHeader& header, const std::string& found) {
  const std::optional<std::uint64_t> wanted = ValueBytes(header);
  return absl::InvalidArgumentError(absl::StrCat(
      name, ": has ", found, " bytes of values; its shape ", ShapeToString(header.shape), " wants ",
      wanted.has_value() ? absl::StrCat(*wanted) : "more than 2^64"));
}

// Returns one label for each image. In the files of QMNIST, a row has more than that, and the label
// comes first.
absl::StatusOr<std::vector<int>> ReadLabels(const std::string& path) {
  const absl::StatusOr<IdxArray> array = ReadIdx(path, kMaxLabelBytes);
  if (!array.ok()) return array.status();
  const std::vector<std::int64_t>& shape = array->shape;
  const bool rows = shape.size() == 2 && shape[1] > 0 && array->is_int32;
  if (shape.size() != 1 && !rows) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": shape is ", ShapeToString(shape),
                     "; wanted [count], or [count, columns] of int32 as QMNIST has it"));
  }
  const auto stride = static_cast<std::size_t>(rows ? shape[1] : 1);
  std::vector<int> labels(array->values.begin(), array->values.end());
  for (std::size_t i = 0; i < array->integers.size(); i += stride) {
    labels.push_back(array->integers[i]);
  }
  return labels;
}

}  // namespace

absl::StatusOr<IdxArray> ReadIdx(const std::string& path, std::uint64_t max_value_bytes) {
  absl::StatusOr<File> file = File::Open(path);
  if (!file.ok()) return file.status();
  // The header says how much there is to read, so that a file without end is not read for long.
  std::string bytes;
  absl::Status read = file->Append(kIdxMagicBytes, bytes);
  if (read.ok() && bytes.size() == kIdxMagicBytes) {
    read = file->Append(kIdxExtentBytes * static_cast<std::uint8_t>(bytes.back()), bytes);
  }
  if (!read.ok()) return read;
  const absl::StatusOr<IdxHeader> header = ParseIdxHeader(path, bytes);
  if (!header.ok()) return header.status();
  const std::uint64_t wanted =
      ValueBytes(*header).value_or(std::numeric_limits<std::uint64_t>::max());
  if (wanted > max_value_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": its shape ", ShapeToString(header->shape), " wants ",
                     wanted == std::numeric_limits<std::uint64_t>::max() ? "more than 2^64"
                                                                         : absl::StrCat(wanted),
                     " bytes of values; wanted at most ", max_value_bytes));
  }
  // One byte more tells whether the file ends, and ends well.
  if (read = file->Append(wanted + 1, bytes); !read.ok()) return read;
  if (bytes.size() > header->bytes + wanted) {
    return OtherSize(path, *header, absl::StrCat("more than ", wanted));
  }
  return ParseIdx(path, bytes);
}

absl::StatusOr<IdxHeader> ParseIdxHeader(const std::string& name, std::string_view bytes) {
  if (bytes.size() < kIdxMagicBytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": found ", bytes.size(),
                                                   " bytes; wanted an IDX header of at least ",
                                                   kIdxMagicBytes));
  }
  const std::uint32_t magic = BigEndian32(bytes.data());
  if (magic >> 16 != 0) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: starts with 0x%08x; wanted IDX magic 0x000008NN, NN being the number of dimensions",
        name, magic));
  }
  const int type = static_cast<int>(magic >> 8 & 0xFF);
  if (type != kTypeUint8 && type != kTypeInt32) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: IDX type is 0x%02x; wanted 0x%02x, uint8, or 0x%02x, int32", name,
                        type, kTypeUint8, kTypeInt32));
  }
  const int dimensions = static_cast<int>(magic & 0xFF);
  if (dimensions < 1 || dimensions > kMaxIdxDimensions) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": has ", dimensions, " dimensions; wanted 1 to ", kMaxIdxDimensions));
  }
  IdxHeader header;
  header.bytes = kIdxMagicBytes + kIdxExtentBytes * static_cast<std::size_t>(dimensions);
  if (bytes.size() < header.bytes) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": found ", bytes.size(),
                                                   " bytes; wanted a header of ", header.bytes,
                                                   " for ", dimensions, " dimensions"));
  }
  header.is_int32 = type == kTypeInt32;
  for (std::size_t at = kIdxMagicBytes; at < header.bytes; at += kIdxExtentBytes) {
    header.shape.push_back(BigEndian32(bytes.data() + at));
  }
  return header;
}

absl::StatusOr<IdxArray> ParseIdx(const std::string& name, const std::string& bytes) {
  absl::StatusOr<IdxHeader> header = ParseIdxHeader(name, bytes);
  if (!header.ok()) return header.status();
  const std::size_t found = bytes.size() - header->bytes;
  if (ValueBytes(*header) != found) return OtherSize(name, *header, absl::StrCat(found));
  IdxArray array;
  array.is_int32 = header->is_int32;
  array.shape = std::move(header->shape);
  if (!array.is_int32) {
    array.values.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header->bytes), bytes.end());
  }
  for (std::size_t i = header->bytes; array.is_int32 && i < bytes.size();
       i += sizeof(std::int32_t)) {
    array.integers.push_back(static_cast<std::int32_t>(BigEndian32(bytes.data() + i)));
  }
  return array;
}

std::string FormatIdx(const std::vector<std::int64_t>& shape,
                      const std::vector<std::uint8_t>& values) {
  std::string bytes = {'\0', '\0', static_cast<char>(kTypeUint8), static_cast<char>(shape.size())};
  for (const std::int64_t extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift & 0xFF);
  }
  return bytes.append(values.begin(), values.end());
}

absl::StatusOr<LabeledImages> ReadImagesAndLabels(const DatasetFiles& files) {
  const std::string& images_path = files.images;
  const std::string& labels_path = files.labels;
  absl::StatusOr<IdxArray> images = ReadIdx(images_path);
  if (!images.ok()) return images.status();
  absl::StatusOr<std::vector<int>> labels = ReadLabels(labels_path);
  if (!labels.ok()) return labels.status();

  constexpr std::int64_t kMaxSide = std::numeric_limits<std::uint16_t>::max();
  const std::vector<std::int64_t>& shape = images->shape;
  if (shape.size() != 3 || shape[1] < 1 || shape[1] > kMaxSide || shape[2] < 1 ||
      shape[2] > kMaxSide) {
    return absl::InvalidArgumentError(
        absl::StrCat(images_path, ": shape is ", ShapeToString(shape),
                     "; wanted [count, rows, columns], each side 1 to ", kMaxSide));
  }
  if (images->is_int32) {
    return absl::InvalidArgumentError(
        absl::StrCat(images_path, ": holds int32; wanted uint8, grey levels"));
  }
  if (static_cast<std::int64_t>(labels->size()) != shape[0]) {
    return absl::InvalidArgumentError(absl::StrCat(labels_path, ": has ", labels->size(),
                                                   " labels; wanted ", shape[0],
                                                   ", one for each image of ", images_path));
  }
  return LabeledImages{static_cast<int>(shape[1]), static_cast<int>(shape[2]),
                       std::move(images->values), *std::move(labels)};
}

absl::Status CheckLabels(const std::string& name, const std::vector<int>& labels, int first,
                         int classes) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t index = std::int64_t{labels[i]} - first;
    if (index >= 0 && index < classes) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": label ", i, " is ", labels[i], "; wanted ", first, " to ",
                     std::int64_t{first} + classes - 1, ", for ", classes, " classes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<LabeledImages> ReadMnist(const std::string& directory, const std::string& prefix,
                                        int classes) {
  const absl::StatusOr<DatasetFiles> files = FindDatasetFiles(directory, prefix);
  if (!files.ok()) return files.status();
  absl::StatusOr<LabeledImages> set = ReadImagesAndLabels(*files);
  if (!set.ok()) return set.status();
  if (absl::Status status = CheckLabels(files->labels, set->labels, 0, classes); !status.ok()) {
    return status;
  }
  return set;
}

void Invert(LabeledImages& set) {
  for (std::uint8_t& pixel : set.pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
}

void Transpose(LabeledImages& set) {
  const auto rows = static_cast<std::size_t>(set.rows);
  const auto columns = static_cast<std::size_t>(set.columns);
  std::vector<std::uint8_t> image(rows * columns);
  for (auto first = set.pixels.begin(); first != set.pixels.end();
       first += set.rows * set.columns) {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        image[column * rows + row] = first[static_cast<std::ptrdiff_t>(row * columns + column)];
      }
    }
    std::copy(image.begin(), image.end(), first);
  }
  std::swap(set.rows, set.columns);
}

void Mend(const Presentation& mending, LabeledImages& set) {
  if (mending.invert) Invert(set);
  if (mending.transpose) Transpose(set);
}

bool LooksInverted(const LabeledImages& set) {
  std::int64_t sum = 0;
  std::int64_t pixels = 0;
  for (std::size_t i = 0; i < set.pixels.size(); ++i) {
    const int at = static_cast<int>(i % (static_cast<std::size_t>(set.rows) * set.columns));
    const int row = at / set.columns;
    const int column = at % set.columns;
    if (row != 0 && row != set.rows - 1 && column != 0 && column != set.columns - 1) continue;
    sum += set.pixels[i];
    ++pixels;
  }
  constexpr int kMiddle = 128;
  return pixels > 0 && sum > kMiddle * pixels;
}

}  // namespace hellocnn
