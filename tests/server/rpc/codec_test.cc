#include "server/rpc/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Gray(std::size_t bytes = 1024) { return std::string(bytes, '\x07'); }

std::string Floats(int at = 0, float value = 0.5F) {
  std::string bytes(4096, '\0');
  std::memcpy(bytes.data() + at * sizeof value, &value, sizeof value);
  return bytes;
}

void ExpectInvalid(const v1::ClassifyRequest& request, const std::string& message,
                   int max_images = 8) {
  google::protobuf::Arena arena;
  const auto images = DecodeImages(request.images(), max_images, &arena);
  ASSERT_FALSE(images.ok());
  EXPECT_EQ(images.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(images.status().message(), message);
}

TEST(DecodeImagesTest, ViewsPointIntoTheMessage) {
  v1::ClassifyRequest request;
  request.add_images()->set_gray8(Gray());
  request.add_images()->set_float32(Floats());
  google::protobuf::Arena arena;
  const auto images = DecodeImages(request.images(), 2, &arena);
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_EQ(images->size(), 2U);
  EXPECT_EQ((*images)[0].format, PixelFormat::kGray8);
  EXPECT_EQ(static_cast<const void*>((*images)[0].pixels), request.images(0).gray8().data());
  EXPECT_EQ((*images)[1].format, PixelFormat::kFloat32);
  EXPECT_EQ(static_cast<const void*>((*images)[1].pixels), request.images(1).float32().data());
}

TEST(DecodeImagesTest, NoImageIsInvalid) {
  ExpectInvalid({}, "images has 0 images; wanted 1 to 8");
}

TEST(DecodeImagesTest, TooManyImagesAreInvalid) {
  v1::ClassifyRequest request;
  for (int i = 0; i < 3; ++i) request.add_images()->set_gray8(Gray());
  google::protobuf::Arena arena;
  EXPECT_TRUE(DecodeImages(request.images(), 3, &arena).ok());
  ExpectInvalid(request, "images has 3 images; wanted 1 to 2", 2);
}

TEST(DecodeImagesTest, UnsetPixelsAreInvalid) {
  v1::ClassifyRequest request;
  request.add_images()->set_gray8(Gray());
  request.add_images();
  ExpectInvalid(request, "images[1] has no pixels; wanted gray8 or float32");
}

TEST(DecodeImagesTest, WrongSizesAreInvalid) {
  for (std::size_t bytes : {0U, 784U, 1023U, 1025U, 4096U}) {
    v1::ClassifyRequest request;
    for (int i = 0; i < 3; ++i) request.add_images()->set_gray8(Gray());
    request.add_images()->set_gray8(Gray(bytes));
    ExpectInvalid(request,
                  "images[3].gray8 has " + std::to_string(bytes) + " bytes; wanted 1024 (32x32)");
  }
  for (std::size_t bytes : {0U, 1024U, 4095U, 4097U}) {
    v1::ClassifyRequest request;
    request.add_images()->set_float32(std::string(bytes, '\0'));
    ExpectInvalid(request, "images[0].float32 has " + std::to_string(bytes) +
                               " bytes; wanted 4096 (32x32 values of 4 bytes)");
  }
}

TEST(DecodeImagesTest, ValuesThatAreNotFiniteAreInvalid) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (int at : {0, 511, 1023}) {
    for (float value : {infinity, -infinity, std::nanf("")}) {
      v1::ClassifyRequest request;
      request.add_images()->set_float32(Floats(at, value));
      google::protobuf::Arena arena;
      const auto images = DecodeImages(request.images(), 1, &arena);
      ASSERT_FALSE(images.ok());
      EXPECT_EQ(images.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(images.status().message()),
                  HasSubstr("images[0].float32 value " + std::to_string(at) + " is "));
    }
  }
}

TEST(DecodeImagesTest, ExtremeFiniteValuesAreValid) {
  using Limits = std::numeric_limits<float>;
  for (float value : {Limits::max(), Limits::lowest(), Limits::denorm_min(), -0.0F}) {
    v1::ClassifyRequest request;
    request.add_images()->set_float32(Floats(9, value));
    google::protobuf::Arena arena;
    EXPECT_TRUE(DecodeImages(request.images(), 1, &arena).ok()) << value;
  }
}

absl::StatusOr<absl::Duration> Timeout(std::int64_t seconds, std::int32_t nanos) {
  v1::ClassifyStreamRequest request;
  request.mutable_timeout()->set_seconds(seconds);
  request.mutable_timeout()->set_nanos(nanos);
  return DecodeTimeout(request);
}

TEST(DecodeTimeoutTest, UnsetIsInfinite) {
  EXPECT_EQ(*DecodeTimeout({}), absl::InfiniteDuration());
}

TEST(DecodeTimeoutTest, PositiveIsTaken) {
  EXPECT_EQ(*Timeout(1, 500'000'000), absl::Milliseconds(1500));
  EXPECT_EQ(*Timeout(0, 1), absl::Nanoseconds(1));
  EXPECT_EQ(*Timeout(315'576'000'000, 0), absl::Seconds(315'576'000'000));
}

TEST(DecodeTimeoutTest, ZeroNegativeAndMalformedAreInvalid) {
  const std::pair<std::int64_t, std::int32_t> bad[] = {
      {0, 0}, {-1, 0}, {0, -1}, {1, -1}, {-1, 1}, {1, 1'000'000'000}, {315'576'000'001, 0}};
  for (const auto& [seconds, nanos] : bad) {
    EXPECT_EQ(Timeout(seconds, nanos).status().code(), absl::StatusCode::kInvalidArgument)
        << seconds << " s, " << nanos << " ns";
  }
  EXPECT_THAT(std::string(Timeout(-1, 7).status().message()),
              HasSubstr("timeout is -1 s and 7 ns"));
}

ModelCard Card() {
  ModelCard card;
  card.name = "mnist";
  card.version = "7";
  for (int i = 0; i < kClasses; ++i) card.class_labels[i] = "label" + std::to_string(i);
  card.test_accuracy = 0.99;
  return card;
}

TEST(EncodeTest, ClassificationHasPredictionsModelAndTiming) {
  Prediction prediction;
  for (int i = 0; i < kClasses; ++i) prediction.log_probabilities[i] = -10.0F + i;
  prediction.log_probabilities[4] = -0.25F;
  JobTiming timing;
  timing.queue = absl::Seconds(2) + absl::Nanoseconds(3);
  timing.compute = absl::Microseconds(7);
  timing.largest_batch = 5;
  v1::ClassifyResponse response;
  EncodeClassification(std::vector{prediction, prediction}, DescribeModel(Card()), timing,
                       &response);
  ASSERT_EQ(response.predictions_size(), 2);
  EXPECT_EQ(response.predictions(1).class_index(), 4);
  EXPECT_EQ(response.predictions(1).label(), "label4");
  EXPECT_THAT(response.predictions(1).log_probabilities(),
              ElementsAre(-10, -9, -8, -7, -0.25, -5, -4, -3, -2, -1));
  EXPECT_EQ(response.model().name(), "mnist");
  EXPECT_EQ(response.model().version(), "7");
  EXPECT_EQ(response.timing().queue_duration().seconds(), 2);
  EXPECT_EQ(response.timing().queue_duration().nanos(), 3);
  EXPECT_EQ(response.timing().compute_duration().nanos(), 7000);
  EXPECT_EQ(response.timing().batch_size(), 5);
}

TEST(EncodeTest, ErrorHasTheProtocolsCode) {
  v1::StreamError error;
  EncodeError(absl::UnavailableError("later"), &error);
  EXPECT_EQ(error.code(), 14);
  EXPECT_EQ(error.message(), "later");
}

TEST(DescribeModelTest, HasTheLayerTableAndTheCard) {
  const v1::Model model = DescribeModel(Card());
  EXPECT_EQ(model.layers_size(), 12);
  EXPECT_EQ(model.layers(0).name(), "conv.0");
  EXPECT_THAT(model.layers(0).output_shape(), ElementsAre(6, 28, 28));
  EXPECT_THAT(model.layers(10).output_shape(), ElementsAre(10));
  EXPECT_EQ(model.parameter_count(), 61'706);
  EXPECT_EQ(model.multiply_adds(), 416'520);
  EXPECT_EQ(model.class_labels_size(), 10);
  EXPECT_EQ(model.preprocessing().content_size(), 28);
  EXPECT_FLOAT_EQ(model.preprocessing().mean(), 0.1307F);
}

}  // namespace
}  // namespace hellocnn::server
