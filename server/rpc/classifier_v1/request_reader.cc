#include "server/rpc/classifier_v1/request_reader.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error_details.h"
#include "hellocnn/topology.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

using google::protobuf::internal::WireFormatLite;

// float32 pixels are little-endian on the wire and are handed to the engine as they are.
static_assert(std::endian::native == std::endian::little);
static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4);

// 10,000 years, the limit that google/protobuf/duration.proto defines.
constexpr std::int64_t kMaxDurationSeconds = 315'576'000'000;
constexpr std::int32_t kNanosPerSecond = 1'000'000'000;

constexpr std::uint32_t TagOfBytes(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}
constexpr std::uint32_t TagOfVarint(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT);
}

// The tags of the fields of a message. The tag of a field that the message lacks is 0, which no
// field has.
struct Tags {
  std::uint32_t images;
  std::uint32_t priority;
  std::uint32_t model;
  std::uint32_t id = 0;
  std::uint32_t timeout = 0;
};

using Kind = ImageContent::Kind;

// The pixels of an image, as they are in the message.
struct Pixels {
  std::optional<Kind> kind;         // unset if there are no pixels
  int size = 0;                     // bytes
  int side = 0;                     // of the square that so many pixels make, if there is one
  const std::byte* data = nullptr;  // if the size can be right
};

PixelFormat FormatOf(Kind kind) {
  return kind == Kind::kFloat32 ? PixelFormat::kFloat32 : PixelFormat::kGray8;
}

// Returns the side of the square of `size` bytes, or 0 if there is none of at most 32x32 pixels.
int SideOf(int size, Kind kind) {
  const int value = kind == Kind::kFloat32 ? static_cast<int>(sizeof(float)) : 1;
  const int pixels = size / value;
  if (pixels > kImagePixels) return 0;
  const int side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(pixels))));
  return side * side * value == size ? side : 0;
}

// Returns true if all pixels are finite. Infinities and NaNs are the values with all exponent bits
// set. The loop has no early exit, so that the compiler can vectorise it. The position of a bad
// value is determined only if there is one.
bool AllFinite(const std::byte* pixels, int count) {
  bool finite = true;
  for (int i = 0; i < count; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, pixels + i * sizeof bits, sizeof bits);
    finite &= (bits & 0x7F800000U) != 0x7F800000U;
  }
  return finite;
}

absl::Status CheckFinite(int index, const std::byte* pixels, int count) {
  if (AllFinite(pixels, count)) return absl::OkStatus();
  for (int i = 0; i < count; ++i) {
    float value;
    std::memcpy(&value, pixels + i * sizeof value, sizeof value);
    if (!std::isfinite(value)) {
      return InvalidField(absl::StrCat("images[", index, "].float32"),
                          absl::StrCat(" value ", i, " is ", value, "; wanted a finite number"));
    }
  }
  return absl::InternalError("CheckFinite disagrees with AllFinite");
}

absl::Status Check(int index, const Pixels& pixels) {
  if (!pixels.kind.has_value()) {
    return InvalidField(absl::StrCat("images[", index, "]"),
                        " has no pixels; wanted gray8, float32 or encoded");
  }
  if (*pixels.kind == Kind::kPicture) return absl::OkStatus();
  const bool floats = *pixels.kind == Kind::kFloat32;
  if (pixels.data == nullptr) {
    return InvalidField(
        absl::StrCat("images[", index, "].", floats ? "float32" : "gray8"),
        absl::StrCat(" has ", pixels.size, " bytes; wanted ", BytesPerImage(FormatOf(*pixels.kind)),
                     " (", kImageSide, "x", kImageSide, floats ? " values of 4 bytes)" : ")",
                     ", or those of the image without its border"));
  }
  return floats ? CheckFinite(index, pixels.data, pixels.side * pixels.side) : absl::OkStatus();
}

// An enum has 32 bits on the wire, and protobuf ignores what goes beyond.
Priority PriorityOf(std::uint64_t value) {
  const bool is_low = static_cast<std::uint32_t>(value) == v1::PRIORITY_LOW;
  return is_low ? Priority::kLow : Priority::kNormal;
}

absl::StatusOr<absl::Duration> DecodeTimeout(const google::protobuf::Duration& timeout) {
  const std::int64_t seconds = timeout.seconds();
  const std::int32_t nanos = timeout.nanos();
  const bool valid = seconds >= 0 && seconds <= kMaxDurationSeconds && nanos >= 0 &&
                     nanos < kNanosPerSecond && (seconds > 0 || nanos > 0);
  if (!valid) {
    return InvalidField(
        "timeout",
        absl::StrCat(" is ", seconds, " s and ", nanos, " ns; wanted more than 0 s, at most ",
                     kMaxDurationSeconds, " s, with nanos from 0 to 999999999"));
  }
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

// The greatest number of bytes of a tag or a size. CodedInputStream would accept more.
constexpr int kMost32BitBytes = 5;

// Reads one message. Its functions return false if the bytes are not a valid message.
class Reader {
 public:
  Reader(const RequestBytes& bytes, const Tags& tags, int max_images,
         google::protobuf::Arena* arena, std::vector<ImageContent>* contents)
      : tags_(tags),
        max_images_(max_images),
        arena_(arena),
        contents_(contents),
        size_(bytes.size),
        input_(bytes.slices) {
    contents->clear();
    // Whole images take so much, and others must ask for more room.
    MakeRoom(
        std::min(static_cast<std::size_t>(max_images), size_ / BytesPerImage(PixelFormat::kGray8)));
  }

  bool Read(Request* request, std::uint64_t* id) {
    input_.PushLimit(static_cast<int>(size_));
    google::protobuf::Duration timeout;
    bool has_timeout = false;
    while (const std::uint32_t tag = ReadTag()) {
      if (tag == tags_.images) {
        if (!ReadImage()) return false;
      } else if (tag == tags_.id) {
        if (!input_.ReadVarint64(id)) return false;
      } else if (tag == tags_.priority) {
        std::uint64_t value;
        if (!input_.ReadVarint64(&value)) return false;
        request->priority = PriorityOf(value);
      } else if (tag == tags_.model) {
        if (!ReadModel(request)) return false;
      } else if (tag == tags_.timeout) {
        if (!ReadPart([&] { return timeout.MergePartialFromCodedStream(&input_); })) return false;
        has_timeout = true;
      } else {
        if (!SkipField(tag)) return false;
      }
    }
    if (!input_.ConsumedEntireMessage()) return false;
    if (has_timeout) request->timeout = DecodeTimeout(timeout);
    request->images = Images();
    return true;
  }

 private:
  bool ReadImage() {
    Pixels pixels;
    const auto read_fields = [&] {
      while (const std::uint32_t tag = ReadTag()) {
        bool read;
        switch (tag) {
          case TagOfBytes(v1::Image::kGray8FieldNumber):
            read = ReadPixels(Kind::kGray8, &pixels);
            break;
          case TagOfBytes(v1::Image::kFloat32FieldNumber):
            read = ReadPixels(Kind::kFloat32, &pixels);
            break;
          case TagOfBytes(v1::Image::kEncodedFieldNumber):
            read = ReadPixels(Kind::kPicture, &pixels);
            break;
          default:
            read = SkipField(tag);
        }
        if (!read) return false;
      }
      return true;
    };
    if (!ReadPart(read_fields)) return false;

    const int index = images_++;
    if (first_error_.ok()) first_error_ = Check(index, pixels);
    if (first_error_.ok() && index < max_images_) Add(index, pixels);
    return true;
  }

  void Add(int index, const Pixels& pixels) {
    const std::size_t at = static_cast<std::size_t>(index);
    if (at >= views_.size()) MakeRoom(std::max(2 * views_.size(), kUsualImages));
    views_[at] = {FormatOf(*pixels.kind), pixels.data};
    if (pixels.side == kImageSide) return;
    contents_->push_back({.index = index,
                          .kind = *pixels.kind,
                          .side = pixels.side,
                          .bytes = {reinterpret_cast<const char*>(pixels.data),
                                    static_cast<std::size_t>(pixels.size)}});
  }

  // Makes room for `images` images in all.
  void MakeRoom(std::size_t images) {
    const std::span<ImageView> room(google::protobuf::Arena::CreateArray<ImageView>(arena_, images),
                                    images);
    std::copy(views_.begin(), views_.end(), room.begin());
    views_ = room;
  }

  // Reads the model that is to respond. If the field is set several times, the parts that are set
  // last win, as in protobuf.
  bool ReadModel(Request* request) {
    if (model_ == nullptr) {
      model_ = google::protobuf::Arena::CreateMessage<v1::ModelVersion>(arena_);
    }
    if (!ReadPart([this] { return model_->MergePartialFromCodedStream(&input_); })) return false;
    request->model = model_->name();
    request->version = model_->version();
    return true;
  }

  // Reads the pixels of an image. If a oneof is set several times, the last field wins.
  bool ReadPixels(Kind kind, Pixels* pixels) {
    *pixels = {.kind = kind};
    if (!ReadSize(&pixels->size)) return false;
    if (kind != Kind::kPicture) {
      pixels->side = SideOf(pixels->size, kind);
      if (pixels->side == 0) return input_.Skip(pixels->size);
    }
    const void* here = nullptr;
    int bytes_here = 0;
    if (input_.GetDirectBufferPointer(&here, &bytes_here) && bytes_here >= pixels->size) {
      pixels->data = static_cast<const std::byte*>(here);
      return input_.Skip(pixels->size);
    }
    auto* const copy = google::protobuf::Arena::CreateArray<std::byte>(
        arena_, static_cast<std::size_t>(pixels->size));
    pixels->data = copy;
    return input_.ReadRaw(copy, pixels->size);
  }

  // Reads a submessage. `read_fields` must read it to its end.
  template <typename ReadFields>
  bool ReadPart(ReadFields read_fields) {
    int size = 0;
    if (!ReadSize(&size) || !input_.IncrementRecursionDepth()) return false;
    const auto limit = input_.PushLimit(size);
    if (!read_fields() || !input_.ConsumedEntireMessage()) return false;
    input_.PopLimit(limit);
    input_.DecrementRecursionDepth();
    return true;
  }

  // Returns the next tag, or 0 at the end of the message or if the bytes are not a valid tag.
  std::uint32_t ReadTag() {
    const int start = input_.CurrentPosition();
    const std::uint32_t tag = input_.ReadTag();
    return input_.CurrentPosition() - start <= kMost32BitBytes ? tag : 0;
  }

  // Reads the size of the field that follows, all of whose bytes must be in the message.
  bool ReadSize(int* size) {
    const int start = input_.CurrentPosition();
    return input_.ReadVarintSizeAsInt(size) &&
           input_.CurrentPosition() - start <= kMost32BitBytes && *size <= input_.BytesUntilLimit();
  }

  // Skips a field that is unknown because it is from a later version of the protocol.
  bool SkipField(std::uint32_t tag) {
    if (WireFormatLite::GetTagFieldNumber(tag) == 0) return false;
    switch (WireFormatLite::GetTagWireType(tag)) {
      case WireFormatLite::WIRETYPE_VARINT: {
        std::uint64_t number;
        return input_.ReadVarint64(&number);
      }
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED: {
        int size = 0;
        return ReadSize(&size) && input_.Skip(size);
      }
      case WireFormatLite::WIRETYPE_START_GROUP:
        return SkipGroup(WireFormatLite::GetTagFieldNumber(tag));
      case WireFormatLite::WIRETYPE_FIXED32:
        return input_.Skip(sizeof(std::uint32_t));
      case WireFormatLite::WIRETYPE_FIXED64:
        return input_.Skip(sizeof(std::uint64_t));
      default:
        return false;
    }
  }

  bool SkipGroup(int field) {
    if (!input_.IncrementRecursionDepth()) return false;
    while (const std::uint32_t tag = ReadTag()) {
      if (WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_END_GROUP) {
        input_.DecrementRecursionDepth();
        return WireFormatLite::GetTagFieldNumber(tag) == field;
      }
      if (!SkipField(tag)) return false;
    }
    return false;
  }

  absl::StatusOr<std::span<ImageView>> Images() const {
    if (images_ == 0 || images_ > max_images_) {
      return InvalidField("images",
                          absl::StrCat(" has ", images_, " images; wanted 1 to ", max_images_));
    }
    if (!first_error_.ok()) return first_error_;
    return views_.first(static_cast<std::size_t>(images_));
  }

  const Tags tags_;
  const int max_images_;
  google::protobuf::Arena* const arena_;
  std::vector<ImageContent>* const contents_;
  const std::size_t size_;
  google::protobuf::io::CodedInputStream input_;

  static constexpr std::size_t kUsualImages = 8;

  v1::ModelVersion* model_ = nullptr;  // on the arena, once there is one
  std::span<ImageView> views_;
  int images_ = 0;
  absl::Status first_error_;
};

constexpr Tags TagsOf(const v1::ClassifyRequest* /*type*/) {
  return {.images = TagOfBytes(v1::ClassifyRequest::kImagesFieldNumber),
          .priority = TagOfVarint(v1::ClassifyRequest::kPriorityFieldNumber),
          .model = TagOfBytes(v1::ClassifyRequest::kModelFieldNumber)};
}
constexpr Tags TagsOf(const v1::ClassifyStreamRequest* /*type*/) {
  return {.images = TagOfBytes(v1::ClassifyStreamRequest::kImagesFieldNumber),
          .priority = TagOfVarint(v1::ClassifyStreamRequest::kPriorityFieldNumber),
          .model = TagOfBytes(v1::ClassifyStreamRequest::kModelFieldNumber),
          .id = TagOfVarint(v1::ClassifyStreamRequest::kIdFieldNumber),
          .timeout = TagOfBytes(v1::ClassifyStreamRequest::kTimeoutFieldNumber)};
}

}  // namespace

template <typename Proto>
absl::StatusOr<Request> ReadRequest(const RequestBytes& bytes, int max_images,
                                    google::protobuf::Arena* arena,
                                    std::vector<ImageContent>* contents, std::uint64_t* id) {
  constexpr Tags kTags = TagsOf(static_cast<const Proto*>(nullptr));
  Request request;
  std::uint64_t read_id = 0;
  if (!Reader(bytes, kTags, max_images, arena, contents).Read(&request, &read_id)) {
    return NotA<Proto>(bytes.size);
  }
  if (id != nullptr) *id = read_id;
  return request;
}
template absl::StatusOr<Request> ReadRequest<v1::ClassifyRequest>(const RequestBytes&, int,
                                                                  google::protobuf::Arena*,
                                                                  std::vector<ImageContent>*,
                                                                  std::uint64_t*);
template absl::StatusOr<Request> ReadRequest<v1::ClassifyStreamRequest>(const RequestBytes&, int,
                                                                        google::protobuf::Arena*,
                                                                        std::vector<ImageContent>*,
                                                                        std::uint64_t*);

}  // namespace hellocnn::server
