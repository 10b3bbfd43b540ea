#include "server/rpc/classifier_v1/response.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "hellocnn/prediction.h"
#include "hellocnn/topology.h"
#include "server/rpc/errors/error_trailers.h"

namespace hellocnn::server {
namespace {

void EncodeDuration(absl::Duration duration, google::protobuf::Duration* proto) {
  absl::Duration rest;
  proto->set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto->set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
}

}  // namespace

void EncodeClassification(const Classification& classification, v1::ClassifyResponse* response) {
  const ModelCard& model = classification.model;
  const std::span<const float> log_probabilities = classification.log_probabilities;
  const std::size_t classes = model.class_labels.size();
  response->mutable_predictions()->Reserve(static_cast<int>(log_probabilities.size() / classes));
  for (std::size_t at = 0; at < log_probabilities.size(); at += classes) {
    const std::span<const float> row = log_probabilities.subspan(at, classes);
    v1::Prediction* prediction = response->add_predictions();
    const int class_index = MostLikelyClass(row);
    prediction->set_class_index(class_index);
    prediction->set_label(model.class_labels[static_cast<std::size_t>(class_index)]);
    prediction->mutable_log_probabilities()->Add(row.begin(), row.end());
  }
  response->mutable_model()->set_name(model.name);
  response->mutable_model()->set_version(model.version);
  const JobTiming& timing = classification.timing;
  EncodeDuration(timing.queue, response->mutable_timing()->mutable_queue_duration());
  EncodeDuration(timing.compute, response->mutable_timing()->mutable_compute_duration());
  response->mutable_timing()->set_batch_size(timing.largest_batch);
}

void EncodeError(const absl::Status& status, v1::StreamError* error) {
  error->set_code(status.raw_code());
  error->set_message(std::string(status.message()));
  if (const std::optional<absl::Duration> delay = RetryDelay(status); delay.has_value()) {
    EncodeDuration(*delay, error->mutable_retry_after());
  }
}

v1::Model DescribeModel(const ModelCard& card) {
  v1::Model model;
  model.mutable_version()->set_name(card.name);
  model.mutable_version()->set_version(card.version);
  for (const std::string& label : card.class_labels) model.add_class_labels(label);
  const int classes = model.class_labels_size();
  for (const PlacedLayer& placed : PlaceLayers(classes)) {
    v1::Layer* layer = model.add_layers();
    layer->set_name(std::string(placed.layer.name));
    layer->set_operator_(Describe(placed));
    layer->add_output_shape(placed.output.channels);
    // The output of a dense layer, and of the layers after it, is a vector with only one extent.
    if (placed.output.height > 1 || placed.output.width > 1 ||
        placed.layer.kind == Layer::Kind::kConv2d || placed.layer.kind == Layer::Kind::kMaxPool2d) {
      layer->add_output_shape(placed.output.height);
      layer->add_output_shape(placed.output.width);
    }
    layer->set_parameter_count(placed.parameters);
    layer->set_multiply_adds(placed.multiply_adds);
  }
  model.set_parameter_count(TotalParameters(classes));
  model.set_multiply_adds(TotalMultiplyAdds(classes));
  if (card.test_accuracy.has_value()) model.set_test_accuracy(*card.test_accuracy);
  model.set_weights_sha256(card.weights_sha256);
  model.set_card_of_other_weights(card.of_other_weights);
  v1::Preprocessing* preprocessing = model.mutable_preprocessing();
  preprocessing->set_content_size(card.content_size);
  preprocessing->set_padding(card.padding);
  preprocessing->set_mean(card.normalization.mean);
  preprocessing->set_standard_deviation(card.normalization.standard_deviation);
  return model;
}

}  // namespace hellocnn::server
