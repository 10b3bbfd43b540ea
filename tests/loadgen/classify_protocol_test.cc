#include "loadgen/protocols/classify_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hellocnn/v1/classifier_service.pb.h"

namespace hellocnn::load {
namespace {

using ::testing::HasSubstr;

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

grpc::ByteBuffer BufferOf(const google::protobuf::MessageLite& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

// Returns five images with different grey levels and with labels 0 to 4.
Images Five() {
  Images images;
  for (int i = 0; i < 5; ++i) {
    images.images.push_back(
        client::Image::Gray8(std::vector<std::uint8_t>(client::kImagePixels, 10 * i)).value());
    images.labels.push_back(i);
  }
  return images;
}

v1::ClassifyResponse Says(std::initializer_list<int> classes) {
  v1::ClassifyResponse response;
  for (const int index : classes) {
    v1::Prediction* prediction = response.add_predictions();
    prediction->set_class_index(index);
    for (int i = 0; i < 10; ++i) prediction->add_log_probabilities(-2.3F);
  }
  response.mutable_timing()->mutable_queue_duration()->set_nanos(1500);
  response.mutable_timing()->mutable_compute_duration()->set_seconds(2);
  response.mutable_timing()->set_batch_size(3);
  return response;
}

TEST(ClassifyProtocol, SendsAllImagesAndGoesRound) {
  const auto protocol = ClassifyProtocol(Five(), {.images_per_request = 2});
  EXPECT_EQ(protocol->method(), "/hellocnn.v1.ClassifierService/Classify");
  ASSERT_EQ(protocol->requests(), 3U);
  v1::ClassifyRequest request;
  ASSERT_TRUE(request.ParseFromString(BytesOf(protocol->Request(2, 0))));
  ASSERT_EQ(request.images_size(), 2);
  EXPECT_EQ(request.images(0).gray8()[0], 40);
  EXPECT_EQ(request.images(1).gray8()[0], 0);
}

TEST(ClassifyProtocol, SendsThePriority) {
  v1::ClassifyRequest request;
  ASSERT_TRUE(request.ParseFromString(BytesOf(ClassifyProtocol(Five(), {})->Request(0, 0))));
  EXPECT_EQ(request.priority(), v1::PRIORITY_UNSPECIFIED);
  const auto low = ClassifyProtocol(Five(), {.low_priority = true});
  ASSERT_TRUE(request.ParseFromString(BytesOf(low->Request(0, 0))));
  EXPECT_EQ(request.priority(), v1::PRIORITY_LOW);
  const auto stream = ClassifyProtocol(
      Five(), {.streaming = true, .timeout = std::chrono::seconds(1), .low_priority = true});
  v1::ClassifyStreamRequest message;
  ASSERT_TRUE(message.ParseFromString(BytesOf(stream->Request(0, 5))));
  EXPECT_EQ(message.priority(), v1::PRIORITY_LOW);
  EXPECT_EQ(message.id(), 5U);
}

TEST(ClassifyProtocol, NamesTheModel) {
  v1::ClassifyRequest request;
  ASSERT_TRUE(request.ParseFromString(BytesOf(ClassifyProtocol(Five(), {})->Request(0, 0))));
  EXPECT_FALSE(request.has_model());
  const auto unary = ClassifyProtocol(Five(), {.model = {"letters", "2"}});
  ASSERT_TRUE(request.ParseFromString(BytesOf(unary->Request(0, 0))));
  EXPECT_EQ(request.model().name(), "letters");
  EXPECT_EQ(request.model().version(), "2");
  const auto stream = ClassifyProtocol(
      Five(), {.streaming = true, .timeout = std::chrono::seconds(1), .model = {"", "2"}});
  v1::ClassifyStreamRequest message;
  ASSERT_TRUE(message.ParseFromString(BytesOf(stream->Request(0, 5))));
  EXPECT_EQ(message.model().name(), "");
  EXPECT_EQ(message.model().version(), "2");
  EXPECT_EQ(message.id(), 5U);
}

TEST(ClassifyProtocol, JudgesAnswersByTheirLabels) {
  const auto protocol = ClassifyProtocol(Five(), {.images_per_request = 2});
  const auto judge = protocol->NewJudge();
  Verdict verdict;
  grpc::ByteBuffer answer = BufferOf(Says({4, 7}));
  judge->Read(answer, verdict);
  ASSERT_EQ(verdict.code, grpc::OK) << verdict.message;
  EXPECT_EQ(verdict.images, 2);
  EXPECT_EQ(verdict.queue, std::chrono::nanoseconds(1500));
  EXPECT_EQ(verdict.compute, std::chrono::seconds(2));
  EXPECT_EQ(verdict.batch_size, 3);
  judge->Compare(2, verdict);  // images 4 and 0
  EXPECT_EQ(verdict.wrong, 1);
}

TEST(ClassifyProtocol, BrokenAnswersAreInternal) {
  const auto protocol = ClassifyProtocol(Five(), {.images_per_request = 2});
  const auto judge = protocol->NewJudge();
  Verdict verdict;
  grpc::ByteBuffer few = BufferOf(Says({4}));
  judge->Read(few, verdict);
  EXPECT_EQ(verdict.code, grpc::INTERNAL);
  EXPECT_THAT(verdict.message, HasSubstr("1 predictions for 2 images"));
  const grpc::Slice junk(std::string("\xff\xff\xff"));
  grpc::ByteBuffer broken(&junk, 1);
  judge->Read(broken, verdict);
  EXPECT_EQ(verdict.code, grpc::INTERNAL);
  EXPECT_THAT(verdict.message, HasSubstr("cannot be parsed"));
}

// As the client library does, which would reject such a response too.
TEST(ClassifyProtocol, ResponsesOfAnotherModelAreInternal) {
  for (const bool streaming : {false, true}) {
    const auto protocol = ClassifyProtocol(
        Five(), {.streaming = streaming, .timeout = std::chrono::seconds(1), .classes = 26});
    const auto judge = protocol->NewJudge();
    v1::ClassifyStreamResponse response;
    *response.mutable_result() = Says({4});
    const auto read = [&] {
      grpc::ByteBuffer bytes = streaming ? BufferOf(response) : BufferOf(response.result());
      Verdict verdict;
      judge->Read(bytes, verdict);
      return verdict;
    };
    Verdict verdict = read();
    EXPECT_EQ(verdict.code, grpc::INTERNAL);
    EXPECT_THAT(verdict.message,
                HasSubstr("10 log-probabilities for an image, and the model has 26 classes"));
    EXPECT_EQ(verdict.images, 0);
    v1::Prediction& prediction = *response.mutable_result()->mutable_predictions(0);
    for (int i = 10; i < 26; ++i) prediction.add_log_probabilities(-2.3F);
    EXPECT_EQ(read().code, grpc::OK);
    for (const int outside : {-1, 26}) {
      prediction.set_class_index(outside);
      verdict = read();
      EXPECT_EQ(verdict.code, grpc::INTERNAL);
      EXPECT_THAT(verdict.message, HasSubstr("is not within 0 to 25"));
    }
  }
}

TEST(ClassifyProtocol, StreamRequestsCarryIdAndTimeout) {
  const auto protocol =
      ClassifyProtocol(Five(), {.streaming = true, .timeout = std::chrono::milliseconds(1500)});
  EXPECT_EQ(protocol->method(), "/hellocnn.v1.ClassifierService/ClassifyStream");
  for (const std::uint64_t id :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, ~std::uint64_t{0}}) {
    v1::ClassifyStreamRequest request;
    ASSERT_TRUE(request.ParseFromString(BytesOf(protocol->Request(3, id))));
    EXPECT_EQ(request.id(), id);
    ASSERT_EQ(request.images_size(), 1);
    EXPECT_EQ(request.images(0).gray8()[0], 30);
    EXPECT_EQ(request.timeout().seconds(), 1);
    EXPECT_EQ(request.timeout().nanos(), 500'000'000);
  }
}

TEST(ClassifyProtocol, StreamErrorsKeepTheirStatus) {
  const auto protocol =
      ClassifyProtocol(Five(), {.streaming = true, .timeout = std::chrono::seconds(1)});
  const auto judge = protocol->NewJudge();
  Verdict verdict;
  v1::ClassifyStreamResponse response;
  response.set_id(77);
  response.mutable_error()->set_code(8);
  response.mutable_error()->set_message("full");
  grpc::ByteBuffer answer = BufferOf(response);
  judge->Read(answer, verdict);
  EXPECT_EQ(verdict.id, 77U);
  EXPECT_EQ(verdict.code, grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(verdict.message, "full");
  response.clear_error();
  answer = BufferOf(response);
  judge->Read(answer, verdict);
  EXPECT_EQ(verdict.code, grpc::INTERNAL);
}

TEST(Images, GeneratedOnesAreThoseOfTheirSeed) {
  const Images first = GenerateImages(3, 1, {});
  EXPECT_EQ(first.images[2].bytes(), GenerateImages(3, 1, {}).images[2].bytes());
  EXPECT_NE(first.images[2].bytes(), GenerateImages(3, 2, {}).images[2].bytes());
  PixelOptions floats;
  floats.float32 = true;
  EXPECT_TRUE(GenerateImages(1, 1, floats).images[0].is_float32());
}

TEST(Images, TestDigitsGetABorder) {
  const Images digits = ReadImages(HELLOCNN_SOURCE_DIR "/data/mnist-test", {}, {}).value();
  ASSERT_EQ(digits.images.size(), 10'000U);
  ASSERT_EQ(digits.labels.size(), 10'000U);
  EXPECT_EQ(digits.labels[0], 7);
  const std::string& pixels = digits.images[0].bytes();
  int border = 0;
  int inside = 0;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const bool outer = y < 2 || y >= 30 || x < 2 || x >= 30;
      (outer ? border : inside) += static_cast<unsigned char>(pixels[y * 32 + x]);
    }
  }
  EXPECT_EQ(border, 0);
  EXPECT_GT(inside, 10'000);
}

}  // namespace
}  // namespace hellocnn::load
