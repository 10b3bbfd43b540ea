// JSON out of messages, and inference requests out of JSON. Integration.Http tries the whole port.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/rest/infer_json.h"
#include "server/rpc/rest/message_json.h"
#include "server/rpc/rest/rest_service.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

TEST(MessageJsonTest, EachKindOfFieldHasItsForm) {
  inference::ModelMetadataResponse metadata;
  metadata.set_name("a \"b\"");
  metadata.add_versions("1");
  metadata.add_inputs()->add_shape(-1);
  metadata.mutable_inputs(0)->add_shape(std::numeric_limits<std::int64_t>::max());
  (*metadata.mutable_properties())["k"] = "v";
  EXPECT_EQ(
      ToJson(metadata).dump(),
      R"({"name":"a \"b\"","versions":["1"],"platform":"","inputs":[{"name":"","datatype":"",)"
      R"("shape":[-1,9223372036854775807]}],"outputs":[],"properties":{"k":"v"}})");
  v1::Model model;
  model.set_test_accuracy(0.5);
  EXPECT_EQ(ToJson(model)["test_accuracy"], 0.5);
  EXPECT_FALSE(ToJson(v1::Model()).contains("test_accuracy"));
  EXPECT_FALSE(ToJson(v1::Model()).contains("version"));
  v1::Image image;
  image.set_gray8("\xff\x01");
  EXPECT_EQ(ToJson(image).dump(), R"({"gray8":"/wE="})");
  v1::ModelStatus status;
  status.set_state(v1::ModelStatus::STATE_SERVING);
  EXPECT_EQ(ToJson(status)["state"], "STATE_SERVING");
}

HttpRequest Http(const std::string& body) { return {.method = "POST", .path = "/", .body = body}; }

TEST(InferJsonTest, ElementsBecomeBytes) {
  const absl::StatusOr<InferCall> call = ReadInferCall(
      Http(R"({"id": "r", "inputs": [{"name": "i", "shape": [1, 4], "datatype": "UINT8",
              "data": [[0, 1], [254, 255]]}], "parameters": {"a": true, "b": -1, "c": 1.5, "d": "e",
              "f": 18446744073709551615, "g": null}})"));
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->request.raw_input_contents(0), std::string("\0\1\xfe\xff", 4));
  EXPECT_EQ(call->request.id(), "r");
  const auto& parameters = call->request.parameters();
  EXPECT_TRUE(parameters.at("a").bool_param());
  EXPECT_EQ(parameters.at("b").int64_param(), -1);
  EXPECT_EQ(parameters.at("c").double_param(), 1.5);
  EXPECT_EQ(parameters.at("d").string_param(), "e");
  EXPECT_EQ(parameters.at("f").uint64_param(), std::numeric_limits<std::uint64_t>::max());
}

TEST(InferJsonTest, FloatsAreThoseOfTheText) {
  const absl::StatusOr<InferCall> call = ReadInferCall(
      Http(R"({"inputs": [{"shape": [3], "datatype": "FP32", "data": [0.1, -1e-3, 16777217]}]})"));
  ASSERT_TRUE(call.ok()) << call.status();
  float values[3];
  ASSERT_EQ(call->request.raw_input_contents(0).size(), sizeof values);
  std::memcpy(values, call->request.raw_input_contents(0).data(), sizeof values);
  EXPECT_EQ(values[0], 0.1F);
  EXPECT_EQ(values[1], -1e-3F);
  EXPECT_EQ(values[2], 16777216.0F);
}

// A thousand images of a thousand pixels each take no more than their bytes and their floats.
TEST(InferJsonTest, ManyElementsAreNoTree) {
  std::string body = R"({"inputs": [{"shape": [1000, 1000], "datatype": "UINT8", "data": [)";
  for (int i = 0; i < 1'000'000; ++i) body += i == 0 ? "7" : ",7";
  const absl::StatusOr<InferCall> call = ReadInferCall(Http(body + "]}]}"));
  ASSERT_TRUE(call.ok()) << call.status();
  EXPECT_EQ(call->request.raw_input_contents(0), std::string(1'000'000, '\7'));
}

TEST(InferJsonTest, WhatIsWrongIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"inputs": [{"shape": [2], "datatype": "UINT8", "data": [1, true]}]})", "no numbers"},
      {R"({"inputs": [{"shape": [2], "datatype": "UINT8", "data": [1, "2"]}]})", "no numbers"},
      {R"({"inputs": [{"shape": [2], "datatype": "UINT8", "data": [1, {"a": 2}]}]})", "no numbers"},
      {R"({"inputs": [{"shape": [2], "datatype": "UINT8", "data": [1, -1]}]})", "data[1] is -1"},
      {R"({"inputs": [{"shape": [2], "datatype": "UINT8"}]})", "data has 0 elements; wanted 2"},
      {R"({"inputs": [{"shape": [2], "datatype": "UINT8", "data": 7}]})", "data has 0 elements"},
      {R"({"inputs": [{"shape": 7, "datatype": "UINT8", "data": []}]})", "inputs[0] has no shape"},
      {R"({"inputs": [{"shape": [2.5], "datatype": "UINT8"}]})", "shape has 2.5"},
      {R"({"inputs": [{"shape": [1], "datatype": 7}]})", "inputs[0].datatype is 7"},
      {R"({"inputs": [{"shape": [1], "datatype": "UINT8", "parameters": []}]})",
       "inputs[0].parameters is []"},
      {R"({"inputs": [{"shape": [1], "datatype": "UINT8", "parameters": {"binary_data_size": 1}}]})",
       "binary_data_size is 1, and 0 bytes follow"},
      {R"({"inputs": [{"shape": [0], "datatype": "UINT8"}], "outputs": [{"name": 1}]})",
       "outputs[0].name is 1"},
      {R"({"inputs": [], "inputs": [{"shape": [1], "datatype": "UINT8", "data": [1]}], "inputs": []})",
       "inputs has 0 tensors"},
  };
  for (const auto& [body, message] : cases) {
    const absl::Status status = ReadInferCall(Http(body)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << body;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << body;
  }
}

TEST(RestServiceTest, EachCodeHasAStatus) {
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kOk), 200U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kInvalidArgument), 400U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kNotFound), 404U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kResourceExhausted), 429U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kUnavailable), 503U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kDeadlineExceeded), 504U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kInternal), 500U);
  EXPECT_EQ(HttpStatusOf(absl::StatusCode::kDataLoss), 500U);
}

}  // namespace
}  // namespace hellocnn::server
