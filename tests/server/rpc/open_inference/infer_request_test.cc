// Requests of the Open Inference Protocol: those that real clients have sent, and wrong ones.
#include "server/rpc/open_inference/infer_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/rpc/open_inference/codec.h"
#include "tests/testing/fake_transport.h"
#include "tests/testing/files.h"
#include "tests/testing/model_card.h"
#include "tests/testing/pieces.h"
#include "tests/testing/pieces_message.h"

namespace hellocnn::server {
namespace {

using inference::ModelInferRequest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kMaxImages = 16;

std::string Captured(const std::string& name) {
  return ReadFile(std::string(HELLOCNN_SOURCE_DIR) + "/tests/server/rpc/open_inference/captured/" +
                  name + ".bin");
}

// A request for `images` images of 32x32 whose bytes count up.
ModelInferRequest Valid(int images = 2) {
  ModelInferRequest request;
  request.set_model_name("mnist");
  auto& input = *request.add_inputs();
  input.set_name("input");
  input.set_datatype("UINT8");
  for (const int extent : {images, 1, 32, 32}) input.add_shape(extent);
  std::string pixels(static_cast<std::size_t>(images) * 1024, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i % 251);
  request.add_raw_input_contents(pixels);
  return request;
}

std::string Floats(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

class InferRequestTest : public ::testing::Test {
 protected:
  absl::StatusOr<Request> Read(const std::string& bytes) {
    message_ = std::make_unique<testing::FakeMessage>(bytes);
    return request_.Read(message_.get(), kMaxImages, &arena_);
  }
  // Returns the images, which are fitted to MNIST's card.
  std::vector<std::string> Images(const std::string& bytes) {
    const absl::StatusOr<Request> request = Read(bytes);
    EXPECT_TRUE(request.ok()) << request.status();
    if (!request->images.ok()) return {std::string(request->images.status().message())};
    const absl::Status fits = request_.Fit(testing::DigitsCard(), *request->images, &arena_);
    if (!fits.ok()) return {std::string(fits.message())};
    std::vector<std::string> images;
    for (const ImageView& image : *request->images) {
      images.emplace_back(reinterpret_cast<const char*>(image.pixels), BytesPerImage(image.format));
    }
    return images;
  }
  // Returns what is wrong with the images.
  std::string Error(const ModelInferRequest& request) {
    const absl::StatusOr<Request> read = Read(request.SerializeAsString());
    EXPECT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->images.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(read->images.status().message());
  }
  std::vector<std::string> Outputs() const {
    std::vector<std::string> outputs;
    for (const AskedOutput& asked : request_.outputs()) {
      outputs.push_back(TypeOf(asked.output).name +
                        (asked.most_likely > 0 ? " " + std::to_string(asked.most_likely) : ""));
    }
    return outputs;
  }

  google::protobuf::Arena arena_;
  std::unique_ptr<testing::FakeMessage> message_;
  InferRequest request_;
};

TEST_F(InferRequestTest, WhatRealClientsHaveSent) {
  const std::string grey = Captured("triton-infer-uint8-1x1x32x32");
  const std::string seven = grey.substr(grey.size() - 1024);
  for (const auto& [name, images] : std::vector<std::pair<std::string, std::size_t>>{
           {"triton-infer-uint8-1x1x32x32", 1},
           {"triton-infer-uint8-10x1x32x32", 10},
           {"kserve-infer-uint8-3-binary_data-true", 3},
           {"kserve-infer-uint8-3-binary_data-false", 3}}) {
    const std::vector<std::string> found = Images(Captured(name));
    ASSERT_EQ(found.size(), images) << name << ": " << found.at(0);
    EXPECT_EQ(found[0], seven) << name;
  }
  std::string normalised;
  for (const auto& [name, images] : std::vector<std::pair<std::string, std::size_t>>{
           {"triton-infer-fp32-1x1x32x32", 1},
           {"triton-infer-fp32-10x1x32x32-id", 10},
           {"triton-infer-fp32-no-outputs", 1},
           {"triton-infer-fp32-version1", 1},
           {"triton-infer-fp32-priority-timeout-parameters", 1},
           {"triton-infer-fp32-classification3", 1},
           {"triton-stream-infer-fp32-id0", 1},
           {"kserve-infer-fp32-3-binary_data-true", 3},
           {"kserve-infer-fp32-3-binary_data-false", 3}}) {
    const std::vector<std::string> found = Images(Captured(name));
    ASSERT_EQ(found.size(), images) << name << ": " << found.at(0);
    if (normalised.empty()) normalised = found[0];
    EXPECT_EQ(found[0], normalised) << name;
  }
  EXPECT_EQ(Images(Captured("perf_analyzer-infer-uint8-8")).size(), 8);
  EXPECT_EQ(Images(Captured("perf_analyzer-stream-infer-uint8-4")).size(), 4);
  EXPECT_TRUE(request_.marks_final_response());
  EXPECT_THAT(Images(Captured("perf_analyzer-infer-fp32-1-random-with-nan")),
              ElementsAre(HasSubstr("is nan; wanted a finite number")));
}

TEST_F(InferRequestTest, WhatElseRealClientsAskFor) {
  ASSERT_TRUE(Read(Captured("triton-infer-fp32-10x1x32x32-id")).ok());
  EXPECT_EQ(request_.id(), "r-1");
  EXPECT_THAT(Outputs(), ElementsAre("log_probabilities"));
  ASSERT_TRUE(Read(Captured("triton-infer-fp32-no-outputs")).ok());
  EXPECT_THAT(Outputs(), ElementsAre("log_probabilities", "probabilities", "class", "label"));
  ASSERT_TRUE(Read(Captured("triton-infer-fp32-classification3")).ok());
  EXPECT_THAT(Outputs(), ElementsAre("log_probabilities 3"));
  EXPECT_EQ(Read(Captured("triton-infer-fp32-version1"))->version, "1");
  EXPECT_EQ(Read(Captured("triton-infer-unknown-model"))->model, "nosuch");
  const absl::StatusOr<Request> request =
      Read(Captured("triton-infer-fp32-priority-timeout-parameters"));
  EXPECT_EQ(request->timeout.value(), absl::Seconds(1));
  EXPECT_EQ(request->priority, Priority::kNormal);
}

TEST_F(InferRequestTest, PixelsAreReadInPlaceUnlessTheyCameInPieces) {
  const std::string bytes = Valid().SerializeAsString();
  const absl::StatusOr<Request> request = Read(bytes);
  const auto* const first = reinterpret_cast<const char*>((*request->images)[0].pixels);
  EXPECT_GE(first, message_->bytes().data());
  EXPECT_LT(first, message_->bytes().data() + bytes.size());
  const std::vector<std::string> whole = Images(bytes);
  for (const std::size_t most : {1U, 7U, 100U, 1500U}) {
    testing::PiecesMessage message(testing::Pieces::CutEvery(bytes, most));
    const absl::StatusOr<Request> cut = request_.Read(&message, kMaxImages, &arena_);
    ASSERT_TRUE(cut.ok() && cut->images.ok()) << most;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(std::string(reinterpret_cast<const char*>((*cut->images)[i].pixels), 1024),
                whole[i]);
    }
  }
}

TEST_F(InferRequestTest, EachShapeGivesTheSameImages) {
  const std::vector<std::string> wanted = Images(Valid().SerializeAsString());
  for (const std::vector<int>& shape : {std::vector<int>{2, 32, 32}, {2, 1024}}) {
    ModelInferRequest request = Valid();
    request.mutable_inputs(0)->clear_shape();
    for (const int extent : shape) request.mutable_inputs(0)->add_shape(extent);
    EXPECT_EQ(Images(request.SerializeAsString()), wanted);
  }
}

TEST_F(InferRequestTest, ImagesWithoutABorderGetABlackOne) {
  ModelInferRequest request = Valid(1);
  request.mutable_inputs(0)->clear_shape();
  for (const int extent : {1, 784}) request.mutable_inputs(0)->add_shape(extent);
  request.set_raw_input_contents(0, std::string(784, '\x40'));
  const std::vector<std::string> grey = Images(request.SerializeAsString());
  ASSERT_EQ(grey.size(), 1);
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
      ASSERT_EQ(grey[0][static_cast<std::size_t>(y * 32 + x)], inside ? '\x40' : '\0') << y << x;
    }
  }
  request.mutable_inputs(0)->set_datatype("FP32");
  request.set_raw_input_contents(0, Floats(std::vector<float>(784, 0.5F)));
  const std::vector<std::string> floats = Images(request.SerializeAsString());
  const float black = testing::DigitsCard().normalization(0);
  EXPECT_EQ(floats.at(0).substr(0, 4), Floats({black}));
  EXPECT_EQ(floats.at(0).substr((2 * 32 + 2) * 4, 28 * 4), Floats(std::vector<float>(28, 0.5F)));
  // The card says that the content has 28 pixels.
  request.mutable_inputs(0)->set_datatype("UINT8");
  request.mutable_inputs(0)->set_shape(1, 400);
  request.set_raw_input_contents(0, std::string(400, '\0'));
  EXPECT_THAT(Images(request.SerializeAsString()),
              ElementsAre(HasSubstr("images of 20x20; wanted 32x32, or 28x28")));
}

TEST_F(InferRequestTest, ShapesAreChecked) {
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{},
                                              {1024},
                                              {1, 3, 32, 32},
                                              {1, 1, 32, 31},
                                              {1, 1, 33, 33},
                                              {1, 1, 0, 0},
                                              {1, -1},
                                              {1, 1000},
                                              {1, 1, 1, 32, 32},
                                              {1, 1, std::int64_t{1} << 40, std::int64_t{1} << 40},
                                              {1, std::numeric_limits<std::int64_t>::max()},
                                              {1, std::numeric_limits<std::int64_t>::min()}}) {
    ModelInferRequest request = Valid(1);
    request.mutable_inputs(0)->clear_shape();
    for (const std::int64_t extent : shape) request.mutable_inputs(0)->add_shape(extent);
    EXPECT_THAT(Error(request), HasSubstr("wanted [N, 1, 32, 32], [N, 32, 32] or [N, 1024]"));
  }
  for (const std::int64_t images : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{kMaxImages + 1},
                                    std::numeric_limits<std::int64_t>::max()}) {
    ModelInferRequest request = Valid(1);
    request.mutable_inputs(0)->set_shape(0, images);
    EXPECT_EQ(Error(request), "inputs[0].shape has " + std::to_string(images) +
                                  " images; wanted 1 to " + std::to_string(kMaxImages));
  }
}

TEST_F(InferRequestTest, ContentsAreChecked) {
  ModelInferRequest request = Valid();
  request.set_raw_input_contents(0, "short");
  EXPECT_EQ(
      Error(request),
      "raw_input_contents has 1 entries of 5 bytes; wanted 1 of 2048 bytes, as the shape says");
  request = Valid();
  request.add_raw_input_contents("more");
  EXPECT_THAT(Error(request), HasSubstr("raw_input_contents has 2 entries; wanted 1"));
  request = Valid();
  request.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  EXPECT_THAT(Error(request), HasSubstr("wanted one of them"));
  request = Valid(1);
  request.clear_raw_input_contents();
  EXPECT_THAT(Error(request), HasSubstr("uint_contents has 0 elements; wanted 1024"));
  for (int i = 0; i < 1024; ++i) {
    request.mutable_inputs(0)->mutable_contents()->add_uint_contents(i == 5 ? 256 : 255);
  }
  EXPECT_THAT(Error(request), HasSubstr("uint_contents[5] is 256; wanted 0 to 255"));
  request.mutable_inputs(0)->set_datatype("FP32");
  EXPECT_THAT(Error(request), HasSubstr("fp32_contents has 0 elements; wanted 1024"));
  request.mutable_inputs(0)->set_datatype("INT64");
  EXPECT_EQ(Error(request), "inputs[0].datatype is \"INT64\"; wanted UINT8 or FP32");
  request.add_inputs();
  EXPECT_EQ(Error(request), "inputs has 2 tensors; wanted 1, named input");
  request.clear_inputs();
  EXPECT_EQ(Error(request), "inputs has 0 tensors; wanted 1, named input");
}

TEST_F(InferRequestTest, ABadImageOfManyIsNamed) {
  ModelInferRequest request = Valid(3);
  request.mutable_inputs(0)->set_datatype("FP32");
  std::vector<float> values(3 * 1024, 1);
  values[2 * 1024 + 7] = std::numeric_limits<float>::infinity();
  request.set_raw_input_contents(0, Floats(values));
  EXPECT_EQ(Error(request), "image 2 of inputs[0]: value 7 is inf; wanted a finite number");
}

TEST_F(InferRequestTest, OutputsAreChecked) {
  const auto with = [](const std::string& name, std::int64_t classification = 0) {
    ModelInferRequest request = Valid();
    request.add_outputs()->set_name("class");
    auto& output = *request.add_outputs();
    output.set_name(name);
    if (classification != 0) {
      const std::string key("classification");
      (*output.mutable_parameters())[key].set_int64_param(classification);
    }
    return request;
  };
  EXPECT_THAT(Error(with("x\n")), HasSubstr("outputs has \"x\\n\"; wanted log_probabilities"));
  EXPECT_THAT(Error(with("class")), HasSubstr("outputs has class twice"));
  EXPECT_THAT(Error(with("label", 3)), HasSubstr("parameter classification of output label"));
  EXPECT_THAT(Error(with("probabilities", -1)), HasSubstr("wanted an integer of at least 1"));
  ASSERT_TRUE(Read(with("probabilities", std::int64_t{1} << 40).SerializeAsString()).ok());
  EXPECT_THAT(Outputs(), ElementsAre("class", "probabilities 1024"));
}

TEST_F(InferRequestTest, ParametersAreReadIfTheyAreNumbers) {
  const auto with = [](const std::string& name, const inference::InferParameter& parameter) {
    ModelInferRequest request = Valid();
    (*request.mutable_parameters())[name] = parameter;
    return request.SerializeAsString();
  };
  inference::InferParameter parameter;
  parameter.set_int64_param(0);
  EXPECT_EQ(Read(with("timeout", parameter))->timeout.value(), absl::InfiniteDuration());
  parameter.set_int64_param(-5);
  EXPECT_THAT(std::string(Read(with("timeout", parameter))->timeout.status().message()),
              HasSubstr("parameter timeout is -5; wanted 0 or more microseconds"));
  parameter.set_uint64_param(7);
  EXPECT_EQ(Read(with("timeout", parameter))->timeout.value(), absl::Microseconds(7));
  EXPECT_EQ(Read(with("priority", parameter))->priority, Priority::kLow);
  parameter.set_uint64_param(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(Read(with("priority", parameter))->priority, Priority::kLow);
  EXPECT_TRUE(Read(with("timeout", parameter))->timeout.ok());
  parameter.set_string_param("soon");
  EXPECT_EQ(Read(with("timeout", parameter))->timeout.value(), absl::InfiniteDuration());
}

TEST_F(InferRequestTest, WhatIsNoMessageIsRejected) {
  const std::string valid = Valid().SerializeAsString();
  for (const std::string& bytes :
       {valid.substr(0, valid.size() - 1), valid.substr(0, 20), std::string("\x3a\xff\xff\xff\x0f"),
        std::string("\x2a\x05"), std::string("\x0a\x01\xff"), std::string("\x07"),
        std::string("\x00\x00", 2)}) {
    EXPECT_EQ(Read(bytes).status().code(), absl::StatusCode::kInvalidArgument);
  }
  // Fields of a later version are ignored.
  EXPECT_TRUE(Read(valid + "\x42\x02hi" + "\x48\x05")->images.ok());
}

TEST_F(InferRequestTest, StreamErrorKeepsTheId) {
  ModelInferRequest request = Valid();
  request.set_id("r-9");
  ModelStreamInferCodec codec;
  testing::FakeMessage message(request.SerializeAsString());
  ASSERT_TRUE(codec.Read(&message, kMaxImages).ok());
  codec.EncodeError(absl::NotFoundError("model x is not served"));
  codec.Write(&message);
  inference::ModelStreamInferResponse response;
  ASSERT_TRUE(response.ParseFromString(message.bytes()));
  EXPECT_EQ(response.error_message(), "model x is not served");
  EXPECT_EQ(response.infer_response().id(), "r-9");
}

// Small fields take a hundred times their size once they are parsed.
TEST_F(InferRequestTest, MuchBesideTheTensorIsRejectedBeforeItIsParsed) {
  const std::string valid = Valid().SerializeAsString();
  constexpr std::size_t kMany = 100'000;
  const std::vector<std::string> fields = {
      std::string("\x2a\x00", 2),           // inputs
      std::string("\x32\x00", 2),           // outputs
      std::string("\x22\x00", 2),           // parameters
      std::string("\x48\x05", 2),           // a field that there is not
      std::string("\x2a\x02\x22\x00", 4)};  // parameters of an input
  for (const std::string& field : fields) {
    std::string bytes = valid;
    for (std::size_t i = 0; i < kMany; ++i) bytes += field;
    const absl::StatusOr<Request> request = Read(bytes);
    ASSERT_TRUE(request.ok());
    EXPECT_THAT(std::string(request->images.status().message()),
                HasSubstr("the request has more than 65536 bytes beside its tensor"));
    EXPECT_LT(arena_.SpaceAllocated(), 1'000'000U);
  }
  std::string raws = valid;
  for (std::size_t i = 0; i < kMany; ++i) raws += std::string("\x3a\x00", 2);
  EXPECT_THAT(std::string(Read(raws)->images.status().message()),
              HasSubstr("raw_input_contents has 100001 entries; wanted 1"));
  EXPECT_LT(arena_.SpaceAllocated(), 1'000'000U);
}

TEST_F(InferRequestTest, ElementsOfOtherTypesAreNotParsed) {
  ModelInferRequest request = Valid(1);
  request.clear_raw_input_contents();
  auto& contents = *request.mutable_inputs(0)->mutable_contents();
  for (int i = 0; i < 1024; ++i) contents.add_uint_contents(7);
  for (int i = 0; i < 100'000; ++i) contents.add_bytes_contents("");
  EXPECT_EQ(Images(request.SerializeAsString()), std::vector{std::string(1024, '\7')});
  EXPECT_LT(arena_.SpaceAllocated(), 100'000U);
}

TEST_F(InferRequestTest, LongShapesAreNotRepeatedInFull) {
  ModelInferRequest request = Valid(1);
  for (int i = 0; i < 20'000; ++i) request.mutable_inputs(0)->add_shape(i);
  const std::string error = Error(request);
  EXPECT_THAT(error, HasSubstr("inputs[0].shape is [1, 1, 32, 32, 0, …]; wanted"));
  EXPECT_LT(error.size(), 300U);
}

TEST_F(InferRequestTest, ResponsesHaveABound) {
  ModelCard card = testing::DigitsCard();
  card.class_labels.assign(1024, std::string(1'000'000, 'x'));
  ModelInferRequest request = Valid(2);
  request.add_outputs()->set_name("label");
  absl::StatusOr<Request> read = Read(request.SerializeAsString());
  EXPECT_TRUE(request_.Fit(card, *read->images, &arena_).ok());
  auto& output = *request.add_outputs();
  output.set_name("probabilities");
  const std::string key("classification");
  (*output.mutable_parameters())[key].set_int64_param(1024);
  read = Read(request.SerializeAsString());
  const absl::Status status = request_.Fit(card, *read->images, &arena_);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the outputs for 2 images may have"));
}

// A result of 2 images with 3 classes.
TEST_F(InferRequestTest, OutputsAreAsAsked) {
  ModelCard card = testing::DigitsCard();
  card.class_labels = {"a", "b", "c"};
  const std::vector<float> rows = {-3, -0.25F, -2, -0.5F, -1, -4};
  const JobTiming timing;
  ModelInferRequest request = Valid();
  request.clear_raw_input_contents();
  for (int i = 0; i < 2048; ++i)
    request.mutable_inputs(0)->mutable_contents()->add_uint_contents(1);
  inference::ModelInferResponse response;
  ASSERT_TRUE(Read(request.SerializeAsString())->images.ok());
  EncodeInference({rows, card, timing}, request_, &response);
  ASSERT_EQ(response.outputs_size(), 4);
  // Raw, although the images were not: Triton's examples look nowhere else.
  ASSERT_EQ(response.raw_output_contents_size(), 4);
  EXPECT_EQ(response.raw_output_contents(0), Floats(rows));
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 3));
  EXPECT_EQ(response.raw_output_contents(2),
            std::string("\1\0\0\0\0\0\0\0", 8) + std::string(8, '\0'));
  EXPECT_THAT(response.outputs(2).shape(), ElementsAre(2));
  float probability = 0;
  std::memcpy(&probability, response.raw_output_contents(1).data() + 4, sizeof probability);
  EXPECT_NEAR(probability, 0.7788, 1e-4);

  ModelInferRequest top = Valid();
  auto& output = *top.add_outputs();
  output.set_name("log_probabilities");
  const std::string key("classification");
  (*output.mutable_parameters())[key].set_int64_param(2);
  top.add_outputs()->set_name("label");
  ASSERT_TRUE(Read(top.SerializeAsString())->images.ok());
  response.Clear();
  EncodeInference({rows, card, timing}, request_, &response);
  ASSERT_EQ(response.raw_output_contents_size(), 2);
  EXPECT_EQ(response.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response.outputs(0).shape(), ElementsAre(2, 2));
  const auto element = [](const std::string& text) {
    return std::string(1, static_cast<char>(text.size())) + std::string(3, '\0') + text;
  };
  EXPECT_EQ(response.raw_output_contents(0), element("-0.250000:1:b") + element("-2.000000:2:c") +
                                                 element("-0.500000:0:a") +
                                                 element("-1.000000:1:b"));
  EXPECT_EQ(response.raw_output_contents(1), element("b") + element("a"));
}

}  // namespace
}  // namespace hellocnn::server
