#include "cli/images/image_source.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/client/picture.h"
#include "hellocnn/data/idx.h"

namespace hellocnn::cli {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxRawBytes = 4096;                     // 1,024 floats
constexpr std::int64_t kMaxIdxPixels = std::int64_t{1} << 24;  // of one image

absl::Status Invalid(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

// Returns true if a file is meant as IDX, whether this program reads its type or not: it begins
// with two zero bytes, one of the types of the format, and a number of dimensions.
bool IsIdx(const std::string& start) {
  return start.size() == kIdxMagicBytes && start[0] == 0 && start[1] == 0 && start[2] >= 8 &&
         start[2] <= 14 && start[3] >= 1 && start[3] <= 4;
}

}  // namespace

ImageSource::ImageSource(Paths paths, const SourceOptions& options)
    : paths_(std::move(paths)), options_(options) {}

bool ImageSource::Ready(absl::Duration patience) {
  const bool in_file = images_.has_value() && images_->next < images_->end;
  return in_file || paths_.Ready(patience);
}

std::optional<SourceImage> ImageSource::Next() {
  while (true) {
    if (images_.has_value()) {
      if (images_->next < images_->end) return NextOfIdx();
      images_.reset();
    }
    std::optional<FoundPath> found = paths_.Next();
    if (!found.has_value()) return std::nullopt;
    if (!found->status.ok()) return SourceImage{found->path, 0, 1, found->status, ""};
    SourceImage image = Open(found->path);
    if (!images_.has_value()) return image;
  }
}

SourceImage ImageSource::Open(const std::string& path) {
  SourceImage image{path, 0, 1, absl::OkStatus(), ""};
  const auto failed = [&](const absl::Status& status) {
    image.status = status;
    image.bytes.clear();
    return image;
  };
  absl::StatusOr<InputFile> file = InputFile::Open(path);
  if (!file.ok()) return failed(file.status());
  absl::StatusOr<std::string> start = file->Read(kIdxMagicBytes);
  if (!start.ok()) return failed(start.status());
  if (!options_.raw && IsIdx(*start)) return failed(OpenIdx(*std::move(file), *start));
  if (options_.index.value_or(0) != 0) {
    return failed(absl::OutOfRangeError(
        absl::StrCat(path, ": there is no image ", *options_.index, "; it holds one, image 0")));
  }
  // Nothing but a picture is worth reading to the end; it may be endless.
  if (!options_.raw && !start->empty() && !client::IsPictureFormat(*start)) {
    absl::StatusOr<std::string> more = file->Read(4096);
    if (!more.ok()) return failed(more.status());
    image.bytes = *start + *more;
    if (!client::IsPictureFormat(image.bytes)) return image;
    *start = std::move(image.bytes);
  }
  const std::size_t limit = options_.raw ? kMaxRawBytes : kMaxFileBytes;
  absl::StatusOr<std::string> rest = file->Read(limit - start->size() + 1);
  if (!rest.ok()) return failed(rest.status());
  image.bytes = *std::move(start) + *rest;
  if (image.bytes.size() > limit) {
    return failed(
        Invalid(path, absl::StrCat("it has more than ", limit, " bytes, which is the limit of ",
                                   options_.raw ? "raw pixels" : "a picture")));
  }
  return image;
}

absl::Status ImageSource::OpenIdx(InputFile file, const std::string& start) {
  const std::string& path = file.path();
  const absl::StatusOr<std::string> rest =
      file.Read(kIdxExtentBytes * static_cast<unsigned char>(start[kIdxMagicBytes - 1]));
  if (!rest.ok()) return rest.status();
  const absl::StatusOr<IdxHeader> header = ParseIdxHeader(path, start + *rest);
  if (!header.ok()) return header.status();
  const std::vector<std::int64_t>& shape = header->shape;
  if (header->is_int32) return Invalid(path, "its values are int32; wanted uint8, grey levels");
  if (shape.size() == 1) return Invalid(path, "these are labels (one dimension), not images");
  if (shape.size() > 3) {
    return Invalid(path, absl::StrCat("it has ", shape.size(), " dimensions; images have 2 or 3"));
  }
  const std::int64_t total = shape.size() == 3 ? shape[0] : 1;
  const std::int64_t height = shape[shape.size() - 2];
  const std::int64_t width = shape.back();
  if (total == 0) return Invalid(path, "there are no images in it");
  if (width < 1 || height < 1 || width > kMaxIdxPixels / height) {
    return Invalid(path, absl::StrCat("its images are ", width, "x", height, "; wanted are 1 to ",
                                      kMaxIdxPixels, " pixels"));
  }
  const std::int64_t first = options_.index.value_or(0);
  if (first >= total) {
    return absl::OutOfRangeError(
        absl::StrCat(path, ": there is no image ", first, "; it has ", total, ", counted from 0"));
  }
  const std::int64_t count =
      options_.index.has_value() ? 1 : std::min(total, options_.limit.value_or(total));
  for (std::int64_t skipped = 0; skipped < first; ++skipped) {
    const absl::StatusOr<std::string> image = file.Read(static_cast<std::size_t>(width * height));
    if (!image.ok()) return image.status();
    if (image->empty()) break;  // NextOfIdx says that the file is cut off
  }
  images_ = Images{std::move(file),         total, first, first + count, static_cast<int>(width),
                   static_cast<int>(height)};
  return absl::OkStatus();
}

SourceImage ImageSource::NextOfIdx() {
  const auto size = std::size_t(images_->width) * images_->height;
  SourceImage image{images_->file.path(), images_->next,  images_->total, absl::OkStatus(), "",
                    images_->width,       images_->height};
  absl::StatusOr<std::string> bytes = images_->file.Read(size);
  if (bytes.ok() && bytes->size() < size) {
    bytes = Invalid(image.file,
                    absl::StrCat("the file is cut off: image ", image.index, " of ", image.total,
                                 " has ", bytes->size(), " bytes, wanted ", size));
  }
  const bool is_last = ++images_->next == images_->total;
  if (bytes.ok() && is_last) {
    // Bytes that nothing accounts for mean that the header is wrong, and so are the images.
    const absl::StatusOr<std::string> more = images_->file.Read(1);
    if (!more.ok()) bytes = more.status();
    if (more.ok() && !more->empty())
      bytes = Invalid(image.file, absl::StrCat("there are bytes after the last of its ",
                                               image.total, " images"));
  }
  if (!bytes.ok()) {
    image.status = bytes.status();
    images_->next = images_->end;
    return image;
  }
  image.bytes = *std::move(bytes);
  return image;
}

}  // namespace hellocnn::cli
