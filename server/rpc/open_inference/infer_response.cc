#include "server/rpc/open_inference/infer_response.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_format.h"
#include "hellocnn/prediction.h"

namespace hellocnn::server {
namespace {

using Response = inference::ModelInferResponse;

// Adds elements to raw contents.
void Add(std::span<const float> values, std::string* raw) {
  raw->append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}
void Add(std::int64_t value, std::string* raw) {
  raw->append(reinterpret_cast<const char*>(&value), sizeof value);
}
void Add(std::string_view text, std::string* raw) {
  const auto size = static_cast<std::uint32_t>(text.size());
  raw->append(reinterpret_cast<const char*>(&size), sizeof size);
  raw->append(text);
}

// Adds the greatest values of a row, as Triton writes them.
void AddMostLikely(std::span<const float> row, std::size_t count,
                   const std::vector<std::string>& labels, std::string* raw) {
  std::vector<std::size_t> order(row.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [row](std::size_t a, std::size_t b) { return row[a] != row[b] ? row[a] > row[b] : a < b; });
  for (std::size_t i = 0; i < count; ++i) {
    Add(absl::StrFormat("%f:%d:%s", row[order[i]], order[i], labels[order[i]]), raw);
  }
}

}  // namespace

void EncodeInference(const Classification& classification, const InferRequest& request,
                     Response* response) {
  const ModelCard& model = classification.model;
  const std::span<const float> values = classification.log_probabilities;
  const std::size_t classes = model.class_labels.size();
  response->set_model_name(model.name);
  response->set_model_version(model.version);
  response->set_id(request.id().data(), request.id().size());
  if (request.marks_final_response()) {
    // A string, because GCC 12 gives a false warning for a literal.
    const std::string name("triton_final_response");
    (*response->mutable_parameters())[name].set_bool_param(true);
  }
  std::vector<float> probabilities;
  for (const AskedOutput& asked : request.outputs()) {
    const InferOutputType& type = TypeOf(asked.output);
    const std::size_t most_likely = std::min(static_cast<std::size_t>(asked.most_likely), classes);
    Response::InferOutputTensor* const tensor = response->add_outputs();
    tensor->set_name(type.name);
    tensor->set_datatype(most_likely > 0 ? "BYTES" : type.datatype);
    tensor->add_shape(static_cast<std::int64_t>(values.size() / classes));
    if (type.has_classes) {
      tensor->add_shape(static_cast<std::int64_t>(most_likely > 0 ? most_likely : classes));
    }
    std::string* const raw = response->add_raw_output_contents();
    std::span<const float> all = values;
    if (asked.output == InferOutput::kProbabilities) {
      probabilities.resize(values.size());
      std::transform(values.begin(), values.end(), probabilities.begin(),
                     [](float value) { return std::exp(value); });
      all = probabilities;
    }
    if (type.has_classes && most_likely == 0) {
      Add(all, raw);
      continue;
    }
    for (std::size_t at = 0; at < all.size(); at += classes) {
      const std::span<const float> row = all.subspan(at, classes);
      if (most_likely > 0) {
        AddMostLikely(row, most_likely, model.class_labels, raw);
        continue;
      }
      const int class_index = MostLikelyClass(row);
      if (asked.output == InferOutput::kClass) {
        Add(std::int64_t{class_index}, raw);
      } else {
        Add(std::string_view(model.class_labels[static_cast<std::size_t>(class_index)]), raw);
      }
    }
  }
}

}  // namespace hellocnn::server
