#include "server/rpc/response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;

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
