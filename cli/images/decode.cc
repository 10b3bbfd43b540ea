#include "cli/images/decode.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/input.h"
#include "cli/images/gzip.h"
#include "cli/images/jpeg.h"
#include "cli/images/pnm.h"
#include "hellocnn/client/client.h"
#include "hellocnn/data/idx.h"
#include "stb/stb_image.h"

namespace hellocnn::cli {
namespace {

// EMNIST's largest file has 638 million bytes.
constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr int kContentSide = 28;
constexpr char kJpegStart[] = "\xff\xd8\xff";

absl::Status Invalid(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

bool StartsWith(const std::string& bytes, const std::string& magic) {
  return bytes.rfind(magic, 0) == 0;
}

// Returns true if `bytes` begin with two zero bytes, a type and a number of dimensions.
bool IsIdx(const std::string& bytes) {
  return bytes.size() >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] == 8 && bytes[3] < 5;
}

bool IsRawSize(std::size_t size) {
  return size == kContentSide * kContentSide || size == client::kImagePixels ||
         size == client::kImagePixels * sizeof(float);
}

absl::StatusOr<DecodedFile> DecodeIdx(const std::string& path, const std::string& bytes,
                                      const DecodeOptions& options) {
  const absl::StatusOr<IdxArray> array = ParseIdx(path, bytes);
  if (!array.ok()) return array.status();
  std::vector<std::int64_t> shape = array->shape;
  if (shape.size() == 2) shape.insert(shape.begin(), 1);
  if (shape.size() == 1) return Invalid(path, "these are labels (one dimension), not images");
  if (shape.size() != 3)
    return Invalid(path, absl::StrCat("IDX images have 3 dimensions, not ", shape.size()));
  const std::int64_t pixels = shape[1] * shape[2];
  if (pixels < 1 || pixels > kMaxPixels)
    return Invalid(path, absl::StrCat("its images have ", pixels, " pixels"));
  DecodedFile decoded;
  decoded.total = shape[0];
  decoded.first_index = options.index.value_or(0);
  if (decoded.first_index >= decoded.total) {
    return absl::OutOfRangeError(absl::StrCat(path, ": there is no image ", decoded.first_index,
                                              "; it has ", decoded.total, ", counted from 0"));
  }
  const std::int64_t count = options.index.has_value() ? 1 : std::min(options.limit, decoded.total);
  for (std::int64_t i = decoded.first_index; i < decoded.first_index + count; ++i) {
    const auto from = array->values.begin() + i * pixels;
    Picture picture{
        static_cast<int>(shape[2]), static_cast<int>(shape[1]), {from, from + pixels}, {}};
    if (options.invert) {
      for (std::uint8_t& grey : picture.grey) grey = 255 - grey;
    }
    decoded.pictures.push_back(std::move(picture));
  }
  return decoded;
}

absl::Status CheckSize(const std::string& name, std::int64_t width, std::int64_t height) {
  if (height == 0 || width <= kMaxPixels / height) return absl::OkStatus();
  return Invalid(name, absl::StrCat("the picture is ", width, "x", height, "; at most ", kMaxPixels,
                                    " pixels are read"));
}

std::int64_t BigEndian32(const std::string& bytes, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t i = at; i < at + 4; ++i)
    value = value * 256 + static_cast<unsigned char>(bytes[i]);
  return value;
}

// Returns why stb_image could not decode. Escapes the reason, because it may quote the name of a
// PNG chunk from the file.
std::string FailureReason() { return absl::CHexEscape(stbi_failure_reason()); }

absl::StatusOr<Picture> DecodeWithStb(const std::string& name, const std::string& bytes,
                                      bool invert) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  // stb_image reports a PNG that is too large as no picture at all. Checking the size gives a
  // better message.
  if (StartsWith(bytes, "\x89PNG") && bytes.size() >= 24) {
    absl::Status fits = CheckSize(name, BigEndian32(bytes, 16), BigEndian32(bytes, 20));
    if (!fits.ok()) return fits;
  }
  if (StartsWith(bytes, kJpegStart)) {
    absl::Status sound = CheckHuffmanTables(name, bytes);
    if (!sound.ok()) return sound;
  }
  Picture picture;
  int channels = 0;
  if (stbi_info_from_memory(data, size, &picture.width, &picture.height, &channels) == 0) {
    return Invalid(name, absl::StrCat("the picture's header is broken: ", FailureReason()));
  }
  if (absl::Status fits = CheckSize(name, picture.width, picture.height); !fits.ok()) return fits;
  const std::unique_ptr<stbi_uc, decltype(&stbi_image_free)> loaded(
      stbi_load_from_memory(data, size, &picture.width, &picture.height, &channels,
                            STBI_grey_alpha),
      &stbi_image_free);
  if (loaded == nullptr)
    return Invalid(name, absl::StrCat("the picture is broken: ", FailureReason()));
  picture.grey.resize(std::size_t(picture.width) * picture.height);
  const int paper = invert ? 255 : 0;  // the level that becomes black in the end
  for (std::size_t i = 0; i < picture.grey.size(); ++i) {
    const int grey = loaded.get()[2 * i];
    const int alpha = loaded.get()[2 * i + 1];
    picture.grey[i] = static_cast<std::uint8_t>((grey * alpha + paper * (255 - alpha) + 127) / 255);
  }
  return picture;
}

absl::StatusOr<Picture> DecodeFloats(const std::string& name, const std::string& bytes,
                                     bool invert) {
  if (invert)
    return Invalid(name, "raw floats are normalised already; --invert does not apply to them");
  Picture picture{
      client::kImageSide, client::kImageSide, {}, std::vector<float>(client::kImagePixels)};
  std::memcpy(picture.normalised.data(), bytes.data(), bytes.size());
  if (!std::all_of(picture.normalised.begin(), picture.normalised.end(),
                   [](float v) { return std::isfinite(v); })) {
    return Invalid(name, "4,096 bytes are taken for raw floats, but not all of these are finite");
  }
  return picture;
}

}  // namespace

absl::StatusOr<Picture> DecodePicture(const std::string& name, const std::string& bytes,
                                      bool invert) {
  absl::StatusOr<Picture> picture;
  if (StartsWith(bytes, "\x89PNG") || StartsWith(bytes, kJpegStart)) {
    picture = DecodeWithStb(name, bytes, invert);
  } else if (IsPnm(bytes)) {
    picture = DecodePnm(name, bytes);
  } else if (bytes.size() == client::kImagePixels * sizeof(float)) {
    return DecodeFloats(name, bytes, invert);
  } else if (bytes.size() == client::kImagePixels || bytes.size() == kContentSide * kContentSide) {
    const int side = bytes.size() == client::kImagePixels ? client::kImageSide : kContentSide;
    picture = Picture{side, side, {bytes.begin(), bytes.end()}, {}};
  } else {
    return Invalid(
        name,
        absl::StrCat("this is not a picture: it is no PNG, JPEG, PNM or IDX file, and raw pixels "
                     "have 784, 1024 or 4096 bytes, not ",
                     bytes.size()));
  }
  if (picture.ok() && invert) {
    for (std::uint8_t& grey : picture->grey) grey = 255 - grey;
  }
  return picture;
}

absl::StatusOr<DecodedFile> DecodeFile(const std::string& path, const DecodeOptions& options) {
  // Reads once, because a pipe can be read only once.
  absl::StatusOr<std::string> bytes = ReadInput(path, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status();
  // Only IDX files may be gzipped.
  if (IsGzip(*bytes)) {
    bytes = Gunzip(path, *bytes, kMaxFileBytes);
    if (!bytes.ok()) return bytes.status();
    return DecodeIdx(path, *bytes, options);
  }
  if (IsIdx(*bytes) && !IsRawSize(bytes->size())) return DecodeIdx(path, *bytes, options);
  if (options.index.value_or(0) != 0) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": there is no image ", *options.index, "; it holds one, image 0"));
  }
  absl::StatusOr<Picture> picture = DecodePicture(path, *bytes, options.invert);
  if (!picture.ok()) return picture.status();
  DecodedFile decoded;
  decoded.pictures.push_back(*std::move(picture));
  return decoded;
}

bool LooksDarkOnLight(const Picture& picture) {
  if (picture.grey.empty()) return false;
  std::int64_t sum = 0;
  std::int64_t count = 0;
  for (int y = 0; y < picture.height; ++y) {
    const bool edge_row = y == 0 || y == picture.height - 1;
    for (int x = 0; x < picture.width; ++x) {
      if (!edge_row && x != 0 && x != picture.width - 1) continue;
      sum += picture.grey[std::size_t(y) * picture.width + x];
      ++count;
    }
  }
  return sum > 160 * count;
}

}  // namespace hellocnn::cli
