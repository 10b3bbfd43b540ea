#include "server/rpc/response.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "hellocnn/topology.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

void EncodeDuration(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
}

}  // namespace

std::span<Prediction> PredictionsFor(std::span<const ImageView> images,
                                     google::protobuf::Arena* arena) {
  return {google::protobuf::Arena::CreateArray<Prediction>(arena, images.size()), images.size()};
}

void ListConfidences(std::span<const Prediction> predictions,
                     std::vector<Confidence>* confidences) {
  confidences->clear();
  for (const Prediction& prediction : predictions) {
    const int class_index = prediction.ClassIndex();
    const auto logarithm =
        static_cast<double>(prediction.log_probabilities[static_cast<std::size_t>(class_index)]);
    // Rounding can exceed 1.
    confidences->push_back({class_index, std::min(std::exp(logarithm), 1.0)});
  }
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
