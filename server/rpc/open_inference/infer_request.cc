#include "server/rpc/open_inference/infer_request.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error_details.h"
#include "base/shown.h"
#include "hellocnn/topology.h"
#include "server/rpc/core/padding.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

using google::protobuf::Arena;
using google::protobuf::internal::WireFormatLite;
using inference::InferParameter;
using inference::ModelInferRequest;

static_assert(std::endian::native == std::endian::little);
static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4);

constexpr std::array<InferOutputType, kInferOutputs> kTypes = {
    {{"log_probabilities", "FP32", inference::TYPE_FP32, true},
     {"probabilities", "FP32", inference::TYPE_FP32, true},
     {"class", "INT64", inference::TYPE_INT64, false},
     {"label", "BYTES", inference::TYPE_STRING, false}}};

// protobuf writes less than 2 GiB.
constexpr std::size_t kMostResponseBytes = std::size_t{1} << 30;
// Shapes have a batch, a channel and two extents at most.
constexpr int kMostExtents = 4;

constexpr char kWantedShape[] =
    "[N, 1, 32, 32], [N, 32, 32] or [N, 1024], or the same without the border of the images, such "
    "as [N, 28, 28]";

// A reference, because without an arena the memory would be the caller's.
std::span<std::byte> BytesOn(Arena& arena, std::size_t bytes) {
  return {Arena::CreateArray<std::byte>(&arena, bytes), bytes};
}

// The numbers of images and of pixels along a side.
struct Shape {
  std::int64_t images;
  int side;
};

absl::StatusOr<Shape> ReadShape(const ModelInferRequest::InferInputTensor& input) {
  const auto& shape = input.shape();
  const auto wrong = [&] {
    const int shown = std::min(shape.size(), kMostExtents + 1);
    return InvalidField(
        "inputs[0].shape",
        absl::StrCat(" is [", absl::StrJoin(shape.begin(), shape.begin() + shown, ", "),
                     shown < shape.size() ? ", …" : "", "]; wanted ", kWantedShape));
  };
  if (shape.size() < 2 || shape.size() > kMostExtents) return wrong();
  std::int64_t height = shape[shape.size() - 2];
  std::int64_t width = shape[shape.size() - 1];
  if (shape.size() == kMostExtents && shape[1] != 1) return wrong();
  if (shape.size() == 2) {
    height = width = std::llround(
        std::sqrt(static_cast<double>(std::clamp<std::int64_t>(shape[1], 0, kImagePixels + 1))));
    if (height * width != shape[1]) return wrong();
  }
  if (height != width || height < 1 || height > kImageSide) return wrong();
  return Shape{shape[0], static_cast<int>(height)};
}

// Returns the parameter if it is a number, and nothing otherwise.
template <typename Map>
std::optional<std::int64_t> IntegerOf(const Map& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return std::nullopt;
  switch (found->second.parameter_choice_case()) {
    case InferParameter::kInt64Param:
      return found->second.int64_param();
    case InferParameter::kUint64Param:
      return static_cast<std::int64_t>(std::min<std::uint64_t>(
          found->second.uint64_param(), std::numeric_limits<std::int64_t>::max()));
    default:
      return std::nullopt;
  }
}

// In microseconds, as Triton has it. 0 is no timeout.
absl::StatusOr<absl::Duration> TimeoutOf(const ModelInferRequest& request) {
  const std::optional<std::int64_t> timeout = IntegerOf(request.parameters(), "timeout");
  if (!timeout.has_value() || *timeout == 0) return absl::InfiniteDuration();
  if (*timeout < 0) {
    return WithField(absl::InvalidArgumentError(absl::StrCat("parameter timeout is ", *timeout,
                                                             "; wanted 0 or more microseconds")),
                     "parameters[timeout]");
  }
  return absl::Microseconds(*timeout);
}

// Triton's highest priority is 1, and 0 is its usual one.
Priority PriorityOf(const ModelInferRequest& request) {
  return IntegerOf(request.parameters(), "priority").value_or(0) > 1 ? Priority::kLow
                                                                     : Priority::kNormal;
}

constexpr std::uint32_t TagOf(int field) {
  return WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
}

// Splits a request into its first raw contents and a head that protobuf can parse. Parsed, small
// fields take a hundred times their size, so the head is bounded: it has the elements of tensors
// that this server takes, and not much else.
class Splitter {
 public:
  Splitter(Message* message, Arena* arena)
      : size_(message->size()), arena_(arena), input_(message->Pieces()) {}

  // Returns false if the bytes are not a valid message.
  bool Split() {
    head_.reserve(kUsualHeadBytes);
    input_.PushLimit(static_cast<int>(size_));
    while (const std::uint32_t tag = input_.ReadTag()) {
      if (tag == kRawContents) {
        if (!ReadRaw()) return false;
      } else if (tag == kInputs) {
        if (!CopyPart(tag, &head_, [this](std::string* input) { return CopyInput(input); })) {
          return false;
        }
      } else if (!CopyField(tag, &head_)) {
        return false;
      }
    }
    return input_.ConsumedEntireMessage();
  }

  const std::string& head() const { return head_; }
  bool is_too_large() const { return copied_ > kMostHeadBytes; }
  std::span<const std::byte> raw() const { return raw_; }
  int raw_count() const { return raw_count_; }

 private:
  using Input = ModelInferRequest::InferInputTensor;
  using Contents = inference::InferTensorContents;
  static constexpr std::uint32_t kRawContents =
      TagOf(ModelInferRequest::kRawInputContentsFieldNumber);
  static constexpr std::uint32_t kInputs = TagOf(ModelInferRequest::kInputsFieldNumber);

  bool ReadSize(int* size) {
    return input_.ReadVarintSizeAsInt(size) && *size <= input_.BytesUntilLimit();
  }

  // More than one is wrong anyway, and then only their number counts.
  bool ReadRaw() {
    int size = 0;
    if (!ReadSize(&size)) return false;
    if (++raw_count_ > 1) return input_.Skip(size);
    const std::size_t bytes = static_cast<std::size_t>(size);
    const void* here = nullptr;
    int bytes_here = 0;
    if (input_.GetDirectBufferPointer(&here, &bytes_here) && bytes_here >= size) {
      raw_ = {static_cast<const std::byte*>(here), bytes};
      return input_.Skip(size);
    }
    const std::span<std::byte> copy = BytesOn(*arena_, bytes);
    raw_ = copy;
    return input_.ReadRaw(copy.data(), size);
  }

  bool CopyInput(std::string* input) {
    while (const std::uint32_t tag = input_.ReadTag()) {
      const bool copied =
          tag == TagOf(Input::kContentsFieldNumber)
              ? CopyPart(tag, input, [this](std::string* part) { return CopyContents(part); })
              : CopyField(tag, input);
      if (!copied) return false;
    }
    return true;
  }

  // Copies the elements of the datatypes that there are, which take no more room than their bytes
  // promise. Those of others are left out, and their number is then wrong.
  bool CopyContents(std::string* contents) {
    while (const std::uint32_t tag = input_.ReadTag()) {
      const int field = WireFormatLite::GetTagFieldNumber(tag);
      const bool is_list =
          WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
      if (is_list && (field == Contents::kUintContentsFieldNumber ||
                      field == Contents::kFp32ContentsFieldNumber)) {
        int size = 0;
        if (!ReadSize(&size) || !Append(tag, size, contents)) return false;
      } else if (field == Contents::kUintContentsFieldNumber ||
                 field == Contents::kFp32ContentsFieldNumber) {
        if (!CopyField(tag, contents)) return false;
      } else if (!WireFormatLite::SkipField(&input_, tag)) {
        return false;
      }
    }
    return true;
  }

  // Copies a submessage whose fields `copy` copies.
  template <typename Copy>
  bool CopyPart(std::uint32_t tag, std::string* to, Copy copy) {
    int size = 0;
    if (!ReadSize(&size)) return false;
    std::string part;
    part.reserve(std::min(static_cast<std::size_t>(size), kUsualHeadBytes));
    const auto limit = input_.PushLimit(size);
    if (!copy(&part) || !input_.ConsumedEntireMessage()) return false;
    input_.PopLimit(limit);
    copied_ += kMostPrefix;
    WritePrefix(tag, part.size(), to);
    to->append(part);
    return true;
  }

  // Copies any field, until there are too many bytes of such fields.
  bool CopyField(std::uint32_t tag, std::string* to) {
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      const int from = input_.CurrentPosition();
      google::protobuf::io::StringOutputStream bytes(to);
      google::protobuf::io::CodedOutputStream output(&bytes);
      const bool skipped = WireFormatLite::SkipField(&input_, tag, &output);
      copied_ += static_cast<std::size_t>(input_.CurrentPosition() - from) + kMostPrefix;
      return skipped;
    }
    int size = 0;
    if (!ReadSize(&size)) return false;
    copied_ += static_cast<std::size_t>(size) + 1;
    return is_too_large() ? input_.Skip(size) : Append(tag, size, to);
  }

  bool Append(std::uint32_t tag, int size, std::string* to) {
    WritePrefix(tag, static_cast<std::size_t>(size), to);
    const std::size_t at = to->size();
    to->resize(at + static_cast<std::size_t>(size));
    return input_.ReadRaw(to->data() + at, size);
  }

  static void WritePrefix(std::uint32_t tag, std::size_t size, std::string* to) {
    std::array<std::uint8_t, kMostPrefix> prefix;
    std::uint8_t* end =
        google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(tag, prefix.data());
    end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
        static_cast<std::uint32_t>(size), end);
    to->append(prefix.data(), end);
  }

  static constexpr std::size_t kMostPrefix = 10;
  static constexpr std::size_t kUsualHeadBytes = 192;

  const std::size_t size_;
  Arena* const arena_;
  google::protobuf::io::CodedInputStream input_;
  std::string head_;
  std::size_t copied_ = 0;  // bytes of all that is not an element of a tensor
  std::span<const std::byte> raw_;
  int raw_count_ = 0;
};

// Returns the first value that is not finite as an error.
absl::Status CheckFinite(const std::byte* pixels, std::size_t values, std::size_t per_image) {
  bool finite = true;
  for (std::size_t i = 0; i < values; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, pixels + i * sizeof bits, sizeof bits);
    finite &= (bits & 0x7F800000U) != 0x7F800000U;
  }
  for (std::size_t i = 0; !finite && i < values; ++i) {
    float value;
    std::memcpy(&value, pixels + i * sizeof value, sizeof value);
    if (std::isfinite(value)) continue;
    return WithField(absl::InvalidArgumentError(
                         absl::StrCat("image ", i / per_image, " of inputs[0]: value ",
                                      i % per_image, " is ", value, "; wanted a finite number")),
                     "inputs[0]");
  }
  return absl::OkStatus();
}

// Checks that the outputs for so many images can be sent.
absl::Status CheckResponse(const ModelCard& card, std::size_t images,
                           const std::vector<AskedOutput>& outputs) {
  constexpr std::size_t kTextBytes = 32;  // the size, and the value and the index of a text
  std::size_t label = 0;
  for (const std::string& one : card.class_labels) label = std::max(label, one.size());
  std::size_t bytes = 0;
  for (const AskedOutput& asked : outputs) {
    const std::size_t elements =
        asked.most_likely > 0
            ? std::min(static_cast<std::size_t>(asked.most_likely), card.class_labels.size())
            : (TypeOf(asked.output).has_classes ? card.class_labels.size() : 1);
    const bool is_text = asked.most_likely > 0 || asked.output == InferOutput::kLabel;
    bytes += elements * (is_text ? kTextBytes + label : sizeof(std::int64_t));
  }
  if (bytes <= kMostResponseBytes / images) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the outputs for ", images, " images may have ", bytes, " bytes each; wanted at most ",
      kMostResponseBytes, " bytes in all: ask for fewer images or outputs"));
}

}  // namespace

const InferOutputType& TypeOf(InferOutput output) {
  return kTypes[static_cast<std::size_t>(output)];
}

absl::StatusOr<Request> InferRequest::Read(Message* message, int max_images, Arena* arena) {
  Splitter splitter(message, arena);
  auto* const head = Arena::CreateMessage<ModelInferRequest>(arena);
  if (!splitter.Split() || (!splitter.is_too_large() && !head->ParseFromString(splitter.head()))) {
    return NotA<ModelInferRequest>(message->size());
  }
  raw_ = splitter.raw();
  raw_count_ = splitter.raw_count();
  is_too_large_ = splitter.is_too_large();
  head_ = head;
  const auto final = head->parameters().find("triton_enable_empty_final_response");
  marks_final_ = final != head->parameters().end() && final->second.bool_param();
  Request request;
  request.model = head->model_name();
  request.version = head->model_version();
  request.priority = PriorityOf(*head);
  request.timeout = TimeoutOf(*head);
  request.images = ReadImages(max_images, arena);
  if (absl::Status status = ReadOutputs(); request.images.ok() && !status.ok()) {
    request.images = std::move(status);
  }
  return request;
}

absl::StatusOr<std::span<ImageView>> InferRequest::ReadImages(int max_images, Arena* arena) {
  if (is_too_large_) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request has more than ", kMostHeadBytes,
                     " bytes beside its tensor; wanted fewer names and parameters"));
  }
  if (head_->inputs_size() != 1) {
    return InvalidField("inputs", absl::StrCat(" has ", head_->inputs_size(),
                                               " tensors; wanted 1, named ", kInputName));
  }
  const ModelInferRequest::InferInputTensor& input = head_->inputs(0);
  if (input.datatype() != "UINT8" && input.datatype() != "FP32") {
    return InvalidField("inputs[0].datatype", absl::StrCat(" is \"", Shown(input.datatype()),
                                                           "\"; wanted UINT8 or FP32"));
  }
  format_ = input.datatype() == "UINT8" ? PixelFormat::kGray8 : PixelFormat::kFloat32;
  const absl::StatusOr<Shape> shape = ReadShape(input);
  if (!shape.ok()) return shape.status();
  if (shape->images < 1 || shape->images > max_images) {
    return InvalidField("inputs[0].shape",
                        absl::StrCat(" has ", shape->images, " images; wanted 1 to ", max_images));
  }
  side_ = shape->side;
  const std::size_t images = static_cast<std::size_t>(shape->images);
  const std::size_t per_image = static_cast<std::size_t>(side_) * static_cast<std::size_t>(side_);
  const std::size_t bytes_per_image =
      per_image * (format_ == PixelFormat::kGray8 ? 1 : sizeof(float));
  const absl::StatusOr<const std::byte*> pixels =
      raw_count_ > 0 ? RawPixels(images * bytes_per_image) : TypedPixels(images * per_image, arena);
  if (!pixels.ok()) return pixels.status();
  if (format_ == PixelFormat::kFloat32) {
    absl::Status status = CheckFinite(*pixels, images * per_image, per_image);
    if (!status.ok()) return status;
  }
  const std::span<ImageView> views(Arena::CreateArray<ImageView>(arena, images), images);
  for (std::size_t i = 0; i < images; ++i) views[i] = {format_, *pixels + i * bytes_per_image};
  return views;
}

absl::StatusOr<const std::byte*> InferRequest::RawPixels(std::size_t bytes) const {
  if (head_->inputs(0).has_contents()) {
    return InvalidField("inputs[0]",
                        " has contents, and there are raw_input_contents; wanted one of them");
  }
  if (raw_count_ != 1 || raw_.size() != bytes) {
    return InvalidField(
        "raw_input_contents",
        absl::StrCat(" has ", raw_count_, " entries",
                     raw_count_ == 1 ? absl::StrCat(" of ", raw_.size(), " bytes") : "",
                     "; wanted 1 of ", bytes, " bytes, as the shape says"));
  }
  return raw_.data();
}

absl::StatusOr<const std::byte*> InferRequest::TypedPixels(std::size_t pixels, Arena* arena) {
  const inference::InferTensorContents& contents = head_->inputs(0).contents();
  const bool floats = format_ == PixelFormat::kFloat32;
  const int found = floats ? contents.fp32_contents_size() : contents.uint_contents_size();
  if (static_cast<std::size_t>(found) != pixels) {
    return InvalidField(
        absl::StrCat("inputs[0].contents.", floats ? "fp32" : "uint", "_contents"),
        absl::StrCat(" has ", found, " elements; wanted ", pixels, ", as the shape says"));
  }
  if (floats) return reinterpret_cast<const std::byte*>(contents.fp32_contents().data());
  const std::span<std::byte> bytes = BytesOn(*arena, pixels);
  for (std::size_t i = 0; i < pixels; ++i) {
    const std::uint32_t value = contents.uint_contents(static_cast<int>(i));
    if (value > std::numeric_limits<std::uint8_t>::max()) {
      return InvalidField(absl::StrCat("inputs[0].contents.uint_contents[", i, "]"),
                          absl::StrCat(" is ", value, "; wanted 0 to 255, for UINT8"));
    }
    bytes[i] = static_cast<std::byte>(value);
  }
  return bytes.data();
}

absl::Status InferRequest::ReadOutputs() {
  outputs_.clear();
  for (int i = 0; head_->outputs_size() == 0 && i < kInferOutputs; ++i) {
    outputs_.push_back({.output = static_cast<InferOutput>(i)});
  }
  for (const auto& asked : head_->outputs()) {
    const auto type =
        std::find_if(kTypes.begin(), kTypes.end(),
                     [&asked](const InferOutputType& one) { return asked.name() == one.name; });
    if (type == kTypes.end()) {
      return InvalidField(
          "outputs", absl::StrCat(" has \"", Shown(asked.name()),
                                  "\"; wanted log_probabilities, probabilities, class or label"));
    }
    AskedOutput output{.output = static_cast<InferOutput>(type - kTypes.begin())};
    if (std::any_of(outputs_.begin(), outputs_.end(), [&output](const AskedOutput& other) {
          return other.output == output.output;
        })) {
      return InvalidField("outputs", absl::StrCat(" has ", type->name, " twice; wanted it once"));
    }
    if (asked.parameters().contains("classification")) {
      const std::int64_t most = IntegerOf(asked.parameters(), "classification").value_or(0);
      if (most < 1 || !type->has_classes) {
        return WithField(
            absl::InvalidArgumentError(absl::StrCat(
                "parameter classification of output ", type->name,
                "; wanted an integer of at least 1, for log_probabilities or probabilities")),
            "outputs");
      }
      output.most_likely = static_cast<int>(std::min<std::int64_t>(most, kMaxClasses));
    }
    outputs_.push_back(output);
  }
  return absl::OkStatus();
}

absl::Status InferRequest::Fit(const ModelCard& card, std::span<ImageView> images,
                               Arena* arena) const {
  if (absl::Status status = CheckResponse(card, images.size(), outputs_); !status.ok()) {
    return status;
  }
  if (side_ == kImageSide) return absl::OkStatus();
  if (side_ != card.content_size) {
    return InvalidField("inputs[0].shape",
                        absl::StrCat(" has images of ", side_, "x", side_, "; wanted ", kImageSide,
                                     "x", kImageSide, ", or ", card.content_size, "x",
                                     card.content_size, ", which the server pads"));
  }
  const std::size_t bytes = BytesPerImage(format_);
  const std::span<std::byte> padded = BytesOn(*arena, images.size() * bytes);
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::byte* const to = padded.data() + i * bytes;
    Pad(images[i].pixels, format_, card, to);
    images[i].pixels = to;
  }
  return absl::OkStatus();
}

}  // namespace hellocnn::server
