#include "server/rpc/rest/infer_json.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "hellocnn/strict_json.h"

namespace hellocnn::server {
namespace {

using inference::InferParameter;
using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Json = nlohmann::ordered_json;
using Parameters = google::protobuf::Map<std::string, InferParameter>;

constexpr int kMostDepth = 16;
// Of all values that are not elements of a tensor. As parsed JSON each takes many times its text.
constexpr int kMostValues = 10'000;

absl::Status Invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

// A number that no float has becomes infinite, and the reader of the request says so.
float ToFloat(double number) {
  constexpr double kMost = std::numeric_limits<float>::max();
  if (std::abs(number) <= kMost) return static_cast<float>(number);
  return std::copysign(std::numeric_limits<float>::infinity(),
                       static_cast<float>(number > 0) - 0.5F);
}

// What ends the parsing, since a callback that discards values would not.
struct Enough {
  absl::Status status;
};

// Takes the elements of tensors out of the JSON while it is parsed. They are many, and as parsed
// JSON each would take sixteen bytes. Throws Enough if there is too much else.
class TensorCatcher {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    if (depth > kMostDepth) {
      throw Enough{Invalid(absl::StrCat("the JSON is nested more than ", kMostDepth, " deep"))};
    }
    if (in_inputs_ && in_data_ && depth > kInInput) return OnElement(event, parsed);
    if (++values_ > kMostValues) {
      throw Enough{Invalid(absl::StrCat("the JSON has more than ", kMostValues,
                                        " values beside the elements of tensors"))};
    }
    switch (event) {
      case Event::key:
        if (depth == 1) in_inputs_ = parsed == "inputs";
        in_data_ = in_inputs_ && depth == kInInput && parsed == "data" && !tensors_.empty();
        break;
      case Event::object_start:
        if (in_inputs_ && depth == kInInput - 1) {
          tensors_.emplace_back();
          in_data_ = false;
        }
        break;
      case Event::object_end:
        if (depth < kInInput) in_data_ = false;
        break;
      default:
        break;
    }
    return true;
  }

  const std::vector<std::vector<float>>& tensors() const { return tensors_; }

 private:
  // The depth of the members of an input: in the request, the list of inputs, and the input.
  static constexpr int kInInput = 3;

  bool OnElement(Json::parse_event_t event, const Json& parsed) {
    using Event = Json::parse_event_t;
    // A list within the list is dropped at its end: the parser shows nothing of one that is dropped
    // at its start.
    if (event == Event::array_start) return true;
    if (event == Event::array_end) return false;
    if (event != Event::value || !parsed.is_number()) {
      throw Enough{Invalid("inputs[0].data has values that are no numbers")};
    }
    tensors_.back().push_back(ToFloat(parsed.get<double>()));
    return false;
  }

  bool in_inputs_ = false;
  bool in_data_ = false;
  int values_ = 0;
  std::vector<std::vector<float>> tensors_;  // the elements of each input
};

// Sets `parameters` from the member of that name, if there is one. `where` names it in messages.
absl::Status ReadParameters(const Json& object, const std::string& where, Parameters* parameters) {
  const auto found = object.find("parameters");
  if (found == object.end() || found->is_null()) return absl::OkStatus();
  if (!found->is_object()) {
    return Invalid(absl::StrCat(where, "parameters is ", ShownJson(*found), "; wanted an object"));
  }
  for (const auto& [name, value] : found->items()) {
    InferParameter& parameter = (*parameters)[name];
    if (value.is_boolean()) {
      parameter.set_bool_param(value.get<bool>());
    } else if (value.is_number_unsigned() &&
               value.get<std::uint64_t>() >
                   std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      parameter.set_uint64_param(value.get<std::uint64_t>());
    } else if (value.is_number_integer()) {
      parameter.set_int64_param(value.get<std::int64_t>());
    } else if (value.is_number()) {
      parameter.set_double_param(value.get<double>());
    } else if (value.is_string()) {
      parameter.set_string_param(value.get<std::string>());
    }  // what else there may be is not known here, and ignored as unknown parameters are
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TextOf(const Json& object, const char* name, const std::string& where) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) {
    return Invalid(absl::StrCat(where, name, " is ", ShownJson(*found), "; wanted a text"));
  }
  return found->get<std::string>();
}

// Returns the list of objects of that name, which may be missing.
absl::StatusOr<std::vector<Json>> ObjectsOf(const Json& request, const char* name) {
  const auto found = request.find(name);
  if (found == request.end() || found->is_null()) return std::vector<Json>();
  if (!found->is_array()) {
    return Invalid(absl::StrCat(name, " is ", ShownJson(*found), "; wanted a list of objects"));
  }
  for (const Json& one : *found) {
    if (!one.is_object()) {
      return Invalid(absl::StrCat(name, " has ", ShownJson(one), "; wanted objects"));
    }
  }
  return std::vector<Json>(found->begin(), found->end());
}

// Returns the elements as they are on the wire of gRPC.
absl::StatusOr<std::string> RawOf(const std::vector<float>& elements, const std::string& datatype) {
  std::string raw;
  if (datatype == "FP32") {
    raw.assign(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(float));
    return raw;
  }
  raw.reserve(elements.size());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const float value = elements[i];
    if (!(value >= 0 && value <= 255 && value == std::floor(value))) {
      return Invalid(absl::StrCat("inputs[0].data[", i, "] is ", value,
                                  "; wanted a whole number from 0 to 255, for UINT8"));
    }
    raw.push_back(static_cast<char>(static_cast<unsigned char>(value)));
  }
  return raw;
}

absl::Status ReadInput(const Json& input, const std::vector<float>& elements,
                       std::string_view binary, ModelInferRequest* request) {
  ModelInferRequest::InferInputTensor& tensor = *request->add_inputs();
  const absl::StatusOr<std::string> name = TextOf(input, "name", "inputs[0].");
  if (!name.ok()) return name.status();
  tensor.set_name(*name);
  const absl::StatusOr<std::string> datatype = TextOf(input, "datatype", "inputs[0].");
  if (!datatype.ok()) return datatype.status();
  tensor.set_datatype(*datatype);
  const auto shape = input.find("shape");
  if (shape == input.end() || !shape->is_array()) {
    return Invalid("inputs[0] has no shape; wanted a list such as [1, 1, 32, 32]");
  }
  std::int64_t wanted = 1;
  for (const Json& extent : *shape) {
    if (!extent.is_number_integer()) {
      return Invalid(
          absl::StrCat("inputs[0].shape has ", ShownJson(extent), "; wanted whole numbers"));
    }
    tensor.add_shape(extent.get<std::int64_t>());
    // What is out of range here is so for the reader of the request too, which says it better.
    constexpr std::int64_t kMany = std::int64_t{1} << 31;
    const std::int64_t rows =
        std::min(std::max<std::int64_t>(tensor.shape().at(tensor.shape_size() - 1), 0), kMany);
    wanted = std::min(wanted * rows, kMany);
  }
  if (absl::Status status = ReadParameters(input, "inputs[0].", tensor.mutable_parameters());
      !status.ok()) {
    return status;
  }
  if (tensor.datatype() != "UINT8" && tensor.datatype() != "FP32") return absl::OkStatus();
  const auto size = tensor.parameters().find("binary_data_size");
  if (size != tensor.parameters().end()) {
    if (size->second.int64_param() != static_cast<std::int64_t>(binary.size())) {
      return Invalid(absl::StrCat("inputs[0].parameters.binary_data_size is ",
                                  size->second.int64_param(), ", and ", binary.size(),
                                  " bytes follow the JSON"));
    }
    request->add_raw_input_contents(binary.data(), binary.size());
    return absl::OkStatus();
  }
  if (!binary.empty()) {
    return Invalid(absl::StrCat(binary.size(),
                                " bytes follow the JSON; wanted inputs[0].parameters."
                                "binary_data_size, which says so"));
  }
  if (static_cast<std::int64_t>(elements.size()) != wanted) {
    return Invalid(absl::StrCat("inputs[0].data has ", elements.size(), " elements; wanted ",
                                wanted, ", as the shape says"));
  }
  absl::StatusOr<std::string> raw = RawOf(elements, tensor.datatype());
  if (!raw.ok()) return raw.status();
  request->add_raw_input_contents(*std::move(raw));
  return absl::OkStatus();
}

// Returns the length of the JSON at the start of the body.
absl::StatusOr<std::size_t> LengthOfJson(const HttpRequest& http) {
  const std::optional<std::string_view> header = http.Header(kHeaderLength);
  if (!header.has_value()) return http.body.size();
  std::uint64_t length = 0;
  if (!absl::SimpleAtoi(absl::string_view(header->data(), header->size()), &length) ||
      length > http.body.size()) {
    return Invalid(absl::StrCat("the header Inference-Header-Content-Length is ", Shown(*header),
                                "; wanted a length of the JSON of at most ", http.body.size(),
                                " bytes, as the body has"));
  }
  return static_cast<std::size_t>(length);
}

void AddTexts(std::string_view raw, Json* data) {
  while (raw.size() >= sizeof(std::uint32_t)) {
    std::uint32_t size = 0;
    std::memcpy(&size, raw.data(), sizeof size);
    raw.remove_prefix(sizeof size);
    data->push_back(std::string(raw.substr(0, size)));
    raw.remove_prefix(size);
  }
}

template <typename Number>
void AddNumbers(std::string_view raw, Json* data) {
  for (std::size_t at = 0; at + sizeof(Number) <= raw.size(); at += sizeof(Number)) {
    Number number;
    std::memcpy(&number, raw.data() + at, sizeof number);
    data->push_back(number);
  }
}

}  // namespace

bool InferCall::IsBinary(const std::string& output) const {
  const auto found = binary_by_output.find(output);
  return found == binary_by_output.end() ? binary : found->second;
}

absl::StatusOr<InferCall> ReadInferCall(const HttpRequest& http) {
  const absl::StatusOr<std::size_t> length = LengthOfJson(http);
  if (!length.ok()) return length.status();
  const std::string_view body = http.body;
  const std::string_view text = body.substr(0, *length);
  TensorCatcher catcher;
  Json json;
  try {
    json = Json::parse(text, std::ref(catcher));
  } catch (const Enough& enough) {
    return enough.status;
  } catch (const Json::exception& error) {
    return Invalid(absl::StrCat("the body is not JSON: ", Shown(error.what(), 256)));
  }
  if (!json.is_object()) return Invalid("the body is not a JSON object");

  InferCall call;
  ModelInferRequest& request = call.request;
  const absl::StatusOr<std::string> id = TextOf(json, "id", "");
  if (!id.ok()) return id.status();
  request.set_id(*id);
  if (absl::Status status = ReadParameters(json, "", request.mutable_parameters()); !status.ok()) {
    return status;
  }
  const auto binary = request.parameters().find("binary_data_output");
  call.binary = binary != request.parameters().end() && binary->second.bool_param();

  const absl::StatusOr<std::vector<Json>> inputs = ObjectsOf(json, "inputs");
  if (!inputs.ok()) return inputs.status();
  if (inputs->size() != 1 || catcher.tensors().size() != 1) {
    return Invalid(absl::StrCat("inputs has ", inputs->size(), " tensors; wanted 1, named input"));
  }
  absl::Status read =
      ReadInput(inputs->front(), catcher.tensors().front(), body.substr(*length), &request);
  if (!read.ok()) return read;

  const absl::StatusOr<std::vector<Json>> outputs = ObjectsOf(json, "outputs");
  if (!outputs.ok()) return outputs.status();
  for (std::size_t i = 0; i < outputs->size(); ++i) {
    const std::string where = absl::StrCat("outputs[", i, "].");
    ModelInferRequest::InferRequestedOutputTensor& output = *request.add_outputs();
    const absl::StatusOr<std::string> name = TextOf((*outputs)[i], "name", where);
    if (!name.ok()) return name.status();
    output.set_name(*name);
    absl::Status status = ReadParameters((*outputs)[i], where, output.mutable_parameters());
    if (!status.ok()) return status;
    const auto found = output.parameters().find("binary_data");
    if (found != output.parameters().end()) {
      call.binary_by_output[*name] = found->second.bool_param();
    }
  }
  return call;
}

HttpResponse WriteInferResponse(const ModelInferResponse& response, const InferCall& call) {
  Json json = {{"model_name", response.model_name()}, {"model_version", response.model_version()}};
  if (!response.id().empty()) json["id"] = response.id();
  Json outputs = Json::array();
  std::string binary;
  for (int i = 0; i < response.outputs_size(); ++i) {
    const ModelInferResponse::InferOutputTensor& tensor = response.outputs(i);
    const std::string& raw = response.raw_output_contents(i);
    Json output = {
        {"name", tensor.name()},
        {"datatype", tensor.datatype()},
        {"shape", std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())}};
    if (call.IsBinary(tensor.name())) {
      output["parameters"] = {{"binary_data_size", raw.size()}};
      binary += raw;
    } else {
      Json data = Json::array();
      if (tensor.datatype() == "FP32") {
        AddNumbers<float>(raw, &data);
      } else if (tensor.datatype() == "INT64") {
        AddNumbers<std::int64_t>(raw, &data);
      } else {
        AddTexts(raw, &data);
      }
      output["data"] = std::move(data);
    }
    outputs.push_back(std::move(output));
  }
  json["outputs"] = std::move(outputs);
  HttpResponse http{.content_type = "application/json",
                    .body = json.dump(-1, ' ', false, Json::error_handler_t::replace)};
  if (!binary.empty()) {
    http.headers.emplace_back("Inference-Header-Content-Length", absl::StrCat(http.body.size()));
    http.content_type = "application/octet-stream";
    http.body += binary;
  }
  return http;
}

}  // namespace hellocnn::server
