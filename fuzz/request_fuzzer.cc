// The request reader against protobuf's own parser, with the message cut into slices anywhere.
//
// Input: a byte that chooses the message and the limit of images, a byte with the number of cuts,
// two bytes for each cut, and the message.
#include <google/protobuf/arena.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fuzz/check.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/classifier_v1/image_contents.h"
#include "server/rpc/classifier_v1/request_reader.h"
#include "tests/testing/pieces.h"

namespace hellocnn::fuzz {
namespace {

using server::ReadRequest;
using server::Request;

constexpr int kMaxImages[] = {1, 2, 3, 8};
constexpr std::size_t kMaxCuts = 15;

// Returns true if so many bytes are a square of at most 32x32 values.
bool IsSquare(std::size_t bytes, std::size_t value_bytes) {
  for (std::size_t side = 1; side <= 32; ++side) {
    if (side * side * value_bytes == bytes) return true;
  }
  return false;
}

// Returns the pixels, or nullptr if the image is not one that the server takes.
const std::string* Pixels(const v1::Image& image) {
  switch (image.pixels_case()) {
    case v1::Image::kGray8:
      return IsSquare(image.gray8().size(), 1) ? &image.gray8() : nullptr;
    case v1::Image::kFloat32: {
      const std::string& bytes = image.float32();
      if (!IsSquare(bytes.size(), sizeof(float))) return nullptr;
      for (std::size_t at = 0; at < bytes.size(); at += sizeof(float)) {
        float value;
        std::memcpy(&value, bytes.data() + at, sizeof value);
        if (!std::isfinite(value)) return nullptr;
      }
      return &bytes;
    }
    case v1::Image::kEncoded:
      return &image.encoded();
    case v1::Image::PIXELS_NOT_SET:
      return nullptr;
  }
  return nullptr;
}

// Returns true if the image must still be made: it has no border, or is a picture.
bool IsContent(const v1::Image& image) {
  return image.has_encoded() ||
         Pixels(image)->size() !=
             BytesPerImage(image.has_gray8() ? PixelFormat::kGray8 : PixelFormat::kFloat32);
}

template <typename Message>
void CheckImages(const Message& wanted, int max_images, const Request& read) {
  const absl::Status status = read.images.status();
  if (wanted.images_size() == 0 || wanted.images_size() > max_images) {
    return RequireGoodError(status, absl::StrCat("images has ", wanted.images_size(), " images; "));
  }
  for (int i = 0; i < wanted.images_size(); ++i) {
    if (Pixels(wanted.images(i)) == nullptr) {
      return RequireGoodError(status, absl::StrCat("images[", i, "]"));
    }
  }
  Require(read.images.ok(), "good images are refused", status.ToString());
  Require(static_cast<int>(read.images->size()) == wanted.images_size(),
          "another number of images");
  for (int i = 0; i < wanted.images_size(); ++i) {
    const v1::Image& image = wanted.images(i);
    const ImageView& view = (*read.images)[static_cast<std::size_t>(i)];
    Require((view.format == PixelFormat::kFloat32) == image.has_float32(), "another pixel format");
    if (IsContent(image)) continue;
    Require(std::memcmp(view.pixels, Pixels(image)->data(), BytesPerImage(view.format)) == 0,
            "other pixels");
  }
}

// Pictures are left to a target of their own.
template <typename Message>
void CheckContents(const Message& wanted, const std::vector<server::ImageContent>& contents,
                   std::span<ImageView> images, google::protobuf::Arena* arena) {
  std::size_t next = 0;
  bool has_picture = false;
  bool has_other_side = false;
  for (int i = 0; i < wanted.images_size(); ++i) {
    const v1::Image& image = wanted.images(i);
    if (!IsContent(image)) continue;
    Require(next < contents.size() && contents[next].index == i, "an image is not made");
    Require(contents[next].bytes == *Pixels(image), "another content");
    has_picture |= image.has_encoded();
    has_other_side |= !image.has_encoded() && contents[next].side != ModelCard().content_size;
    ++next;
  }
  Require(next == contents.size(), "more contents than images");
  if (has_picture) return;
  const absl::Status fits = server::FitContents(ModelCard(), contents, images, arena);
  Require(fits.ok() != has_other_side, "sides", fits.ToString());
  for (const ImageView& image : images) {
    Require(has_other_side || image.pixels != nullptr, "an image has no pixels");
  }
}

void CheckTimeout(const v1::ClassifyStreamRequest& wanted, const Request& read) {
  if (!wanted.has_timeout()) {
    return Require(read.timeout.ok() && *read.timeout == absl::InfiniteDuration(),
                   "no timeout, but one is read", read.timeout.status().ToString());
  }
  constexpr std::int64_t kMaxSeconds = 315'576'000'000;
  const std::int64_t seconds = wanted.timeout().seconds();
  const std::int32_t nanos = wanted.timeout().nanos();
  const bool valid = seconds >= 0 && seconds <= kMaxSeconds && nanos >= 0 && nanos <= 999'999'999 &&
                     (seconds != 0 || nanos != 0);
  if (!valid) return RequireGoodError(read.timeout.status(), "timeout is ");
  Require(read.timeout.ok(), "a good timeout is refused", read.timeout.status().ToString());
  Require(*read.timeout == absl::Seconds(seconds) + absl::Nanoseconds(nanos), "another timeout");
}

template <typename Message>
void Check(const std::string& message, const std::vector<std::size_t>& cuts, int max_images) {
  Message wanted;
  const bool valid = wanted.ParseFromString(message);
  google::protobuf::Arena arena;
  testing::Pieces pieces = testing::Pieces::CutAt(message, cuts);
  std::uint64_t id = 0;
  std::vector<server::ImageContent> contents;
  const absl::StatusOr<Request> read =
      ReadRequest<Message>({pieces.Stream(), pieces.size()}, max_images, &arena, &contents, &id);
  Require(read.ok() == valid, valid ? "protobuf takes it, the reader does not"
                                    : "the reader takes it, protobuf does not");
  if (!valid) return RequireGoodError(read.status(), "the request has ");
  CheckImages(wanted, max_images, *read);
  if (read->images.ok()) CheckContents(wanted, contents, *read->images, &arena);
  Require((read->priority == server::Priority::kLow) == (wanted.priority() == v1::PRIORITY_LOW),
          "another priority");
  Require(read->model == wanted.model().name(), "another model");
  Require(read->version == wanted.model().version(), "another version");
  if constexpr (std::is_same_v<Message, v1::ClassifyStreamRequest>) {
    Require(id == wanted.id(), "another id", absl::StrCat(id));
    CheckTimeout(wanted, *read);
  }
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  if (size < 2) return 0;
  const bool stream = (data[0] & 1) != 0;
  const int max_images = fuzz::kMaxImages[data[0] >> 1 & 3];
  const std::size_t wanted_cuts = data[1] & fuzz::kMaxCuts;
  if (size < 2 + 2 * wanted_cuts) return 0;
  const std::string message =
      fuzz::AsString(data + 2 + 2 * wanted_cuts, size - 2 - 2 * wanted_cuts);
  std::vector<std::size_t> cuts;
  for (std::size_t i = 0; i < wanted_cuts; ++i) {
    cuts.push_back((data[2 + 2 * i] | std::size_t{data[3 + 2 * i]} << 8) % (message.size() + 1));
  }
  if (stream) {
    fuzz::Check<v1::ClassifyStreamRequest>(message, cuts, max_images);
  } else {
    fuzz::Check<v1::ClassifyRequest>(message, cuts, max_images);
  }
  return 0;
}
