#include "server/rpc/classifier_v1/image_contents.h"

#include <algorithm>
#include <cstring>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/error_details.h"
#include "hellocnn/topology.h"
#include "server/rpc/core/padding.h"
#include "server/rpc/core/prepared_picture.h"

namespace hellocnn::server {
namespace {

absl::Status PadContent(const ImageContent& content, const ModelCard& card, std::byte* image) {
  const bool floats = content.kind == ImageContent::Kind::kFloat32;
  if (content.side != card.content_size) {
    return InvalidField(absl::StrCat("images[", content.index, "].", floats ? "float32" : "gray8"),
                        absl::StrCat(" has ", content.side, "x", content.side, " pixels; wanted ",
                                     kImageSide, "x", kImageSide, ", or ", card.content_size, "x",
                                     card.content_size, ", which the server pads"));
  }
  Pad(reinterpret_cast<const std::byte*>(content.bytes.data()),
      floats ? PixelFormat::kFloat32 : PixelFormat::kGray8, card, image);
  return absl::OkStatus();
}

// A reference, because without an arena the memory would be the caller's.
std::byte* ImageOn(google::protobuf::Arena& arena, PixelFormat format) {
  return google::protobuf::Arena::CreateArray<std::byte>(&arena, BytesPerImage(format));
}

// Takes the pixels of the picture from those that are left.
absl::Status Decode(const ImageContent& content, const ModelCard& card, std::int64_t* pixels_left,
                    std::byte* image) {
  const absl::StatusOr<PreparedPicture> prepared = PreparePicture(
      absl::StrCat("images[", content.index, "].encoded"), content.bytes, *pixels_left, card);
  if (!prepared.ok()) return prepared.status();
  *pixels_left -= prepared->pixels;
  std::memcpy(image, prepared->grey.data(), prepared->grey.size());
  return absl::OkStatus();
}

}  // namespace

absl::Status FitContents(const ModelCard& card, std::span<const ImageContent> contents,
                         std::span<ImageView> images, google::protobuf::Arena* arena) {
  const auto pictures = std::count_if(
      contents.begin(), contents.end(),
      [](const ImageContent& content) { return content.kind == ImageContent::Kind::kPicture; });
  if (pictures > kMostEncodedPictures) {
    return InvalidField("images",
                        absl::StrCat(" has ", pictures, " encoded pictures; wanted at most ",
                                     kMostEncodedPictures, ", or gray8"));
  }
  std::int64_t pixels_left = kMostEncodedPixels;
  for (const ImageContent& content : contents) {
    const PixelFormat format =
        content.kind == ImageContent::Kind::kFloat32 ? PixelFormat::kFloat32 : PixelFormat::kGray8;
    std::byte* const image = ImageOn(*arena, format);
    absl::Status status = content.kind == ImageContent::Kind::kPicture
                              ? Decode(content, card, &pixels_left, image)
                              : PadContent(content, card, image);
    if (!status.ok()) return status;
    images[static_cast<std::size_t>(content.index)] = {format, image};
  }
  return absl::OkStatus();
}

}  // namespace hellocnn::server
