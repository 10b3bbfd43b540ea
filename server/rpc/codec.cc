#include "server/rpc/codec.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

// float32 pixels are little-endian on the wire and are handed to the engine as they are.
static_assert(std::endian::native == std::endian::little);
static_assert(std::numeric_limits<float>::is_iec559 && sizeof(float) == 4);

// 10,000 years, as google/protobuf/duration.proto says.
constexpr std::int64_t kMaxDurationSeconds = 315'576'000'000;
constexpr std::int32_t kNanosPerSecond = 1'000'000'000;

absl::Status CheckSize(int index, const char* field, const std::string& pixels,
                       PixelFormat format) {
  if (pixels.size() == BytesPerImage(format)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("images[", index, "].", field, " has ", pixels.size(), " bytes; wanted ",
                   BytesPerImage(format), " (", kImageSide, "x", kImageSide,
                   format == PixelFormat::kFloat32 ? " values of 4 bytes)" : ")"));
}

// Infinities and NaNs are the values with all exponent bits set. The loop has no way out, so that
// it is vectorized; which value it was is looked for only when there is one.
bool AllFinite(const char* pixels) {
  bool finite = true;
  for (int i = 0; i < kImagePixels; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, pixels + i * sizeof bits, sizeof bits);
    finite &= (bits & 0x7F800000U) != 0x7F800000U;
  }
  return finite;
}

absl::Status CheckFinite(int index, const std::string& pixels) {
  if (AllFinite(pixels.data())) return absl::OkStatus();
  for (int i = 0; i < kImagePixels; ++i) {
    float value;
    std::memcpy(&value, pixels.data() + i * sizeof value, sizeof value);
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(absl::StrCat("images[", index, "].float32 value ", i,
                                                     " is ", value, "; wanted a finite number"));
    }
  }
  return absl::InternalError("CheckFinite disagrees with AllFinite");
}

void EncodeDuration(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
}

}  // namespace

absl::StatusOr<std::span<ImageView>> DecodeImages(
    const google::protobuf::RepeatedPtrField<v1::Image>& images, int max_images,
    google::protobuf::Arena* arena) {
  if (images.empty() || images.size() > max_images) {
    return absl::InvalidArgumentError(
        absl::StrCat("images has ", images.size(), " images; wanted 1 to ", max_images));
  }
  const auto count = static_cast<std::size_t>(images.size());
  const std::span<ImageView> views(google::protobuf::Arena::CreateArray<ImageView>(arena, count),
                                   count);
  for (int i = 0; i < images.size(); ++i) {
    const v1::Image& image = images[i];
    ImageView& view = views[static_cast<std::size_t>(i)];
    switch (image.pixels_case()) {
      case v1::Image::kGray8: {
        const std::string& pixels = image.gray8();
        absl::Status status = CheckSize(i, "gray8", pixels, PixelFormat::kGray8);
        if (!status.ok()) return status;
        view = {PixelFormat::kGray8, reinterpret_cast<const std::byte*>(pixels.data())};
        break;
      }
      case v1::Image::kFloat32: {
        const std::string& pixels = image.float32();
        absl::Status status = CheckSize(i, "float32", pixels, PixelFormat::kFloat32);
        if (status.ok()) status = CheckFinite(i, pixels);
        if (!status.ok()) return status;
        view = {PixelFormat::kFloat32, reinterpret_cast<const std::byte*>(pixels.data())};
        break;
      }
      case v1::Image::PIXELS_NOT_SET:
        return absl::InvalidArgumentError(
            absl::StrCat("images[", i, "] has no pixels; wanted gray8 or float32"));
    }
  }
  return views;
}

std::span<Prediction> PredictionsFor(std::span<const ImageView> images,
                                     google::protobuf::Arena* arena) {
  return {google::protobuf::Arena::CreateArray<Prediction>(arena, images.size()), images.size()};
}

absl::StatusOr<absl::Duration> DecodeTimeout(const v1::ClassifyStreamRequest& request) {
  if (!request.has_timeout()) return absl::InfiniteDuration();
  const std::int64_t seconds = request.timeout().seconds();
  const std::int32_t nanos = request.timeout().nanos();
  const bool valid = seconds >= 0 && seconds <= kMaxDurationSeconds && nanos >= 0 &&
                     nanos < kNanosPerSecond && (seconds > 0 || nanos > 0);
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat(
        "timeout is ", seconds, " s and ", nanos, " ns; wanted more than 0 s, at most ",
        kMaxDurationSeconds, " s, with nanos from 0 to 999999999"));
  }
  return absl::Seconds(seconds) + absl::Nanoseconds(nanos);
}

void EncodeClassification(std::span<const Prediction> predictions, const v1::Model& model,
                          const JobTiming& timing, v1::ClassifyResponse* response) {
  response->mutable_predictions()->Reserve(static_cast<int>(predictions.size()));
  for (const Prediction& prediction : predictions) {
    v1::Prediction* proto = response->add_predictions();
    const int class_index = prediction.ClassIndex();
    proto->set_class_index(class_index);
    proto->set_label(model.class_labels(class_index));
    proto->mutable_log_probabilities()->Add(prediction.log_probabilities.begin(),
                                            prediction.log_probabilities.end());
  }
  *response->mutable_model() = model.version();
  EncodeDuration(timing.queue, response->mutable_timing()->mutable_queue_duration());
  EncodeDuration(timing.compute, response->mutable_timing()->mutable_compute_duration());
  response->mutable_timing()->set_batch_size(timing.largest_batch);
}

void EncodeError(const absl::Status& status, v1::StreamError* error) {
  const absl::Status protocol = ToProtocol(status);
  error->set_code(protocol.raw_code());
  error->set_message(std::string(protocol.message()));
}

v1::Model DescribeModel(const ModelCard& card) {
  v1::Model model;
  model.mutable_version()->set_name(card.name);
  model.mutable_version()->set_version(card.version);
  for (const std::string& label : card.class_labels) model.add_class_labels(label);
  for (const PlacedLayer& placed : PlaceLayers()) {
    v1::Layer* layer = model.add_layers();
    layer->set_name(std::string(placed.layer.name));
    layer->set_operator_(Describe(placed));
    layer->add_output_shape(placed.output.channels);
    // A vector has one extent: dense layers, and what follows them.
    if (placed.output.height > 1 || placed.output.width > 1 ||
        placed.layer.kind == Layer::Kind::kConv2d || placed.layer.kind == Layer::Kind::kMaxPool2d) {
      layer->add_output_shape(placed.output.height);
      layer->add_output_shape(placed.output.width);
    }
    layer->set_parameter_count(placed.parameters);
    layer->set_multiply_adds(placed.multiply_adds);
  }
  model.set_parameter_count(TotalParameters());
  model.set_multiply_adds(TotalMultiplyAdds());
  model.set_test_accuracy(card.test_accuracy);
  v1::Preprocessing* preprocessing = model.mutable_preprocessing();
  preprocessing->set_content_size(card.content_size);
  preprocessing->set_padding(card.padding);
  preprocessing->set_mean(card.normalization.mean);
  preprocessing->set_standard_deviation(card.normalization.standard_deviation);
  return model;
}

}  // namespace hellocnn::server
