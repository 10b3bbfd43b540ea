#include "hellocnn/topology.h"

#include <gtest/gtest.h>

#include <array>

namespace hellocnn {
namespace {

TEST(TopologyTest, TotalsAreThoseOfTheSpecification) {
  EXPECT_EQ(TotalParameters(10), 61'706);
  EXPECT_EQ(TotalMultiplyAdds(10), 416'520);
}

TEST(TopologyTest, EveryLayerHasTheShapesAndCountsOfTheSpecification) {
  struct Row {
    std::string name;
    Shape output;
    std::int64_t parameters;
    std::int64_t multiply_adds;
    std::string description;
  };
  const std::array<Row, 12> rows{{
      {"conv.0", {6, 28, 28}, 156, 117'600, "Conv2d(1, 6, kernel 5x5)"},
      {"conv.1", {6, 28, 28}, 0, 0, "ReLU"},
      {"conv.2", {6, 14, 14}, 0, 0, "MaxPool2d(15x15, stride 1)"},
      {"conv.3", {16, 10, 10}, 2'416, 240'000, "Conv2d(6, 16, kernel 5x5)"},
      {"conv.4", {16, 10, 10}, 0, 0, "ReLU"},
      {"conv.5", {16, 5, 5}, 0, 0, "MaxPool2d(6x6, stride 1)"},
      {"conv.6", {120, 1, 1}, 48'120, 48'000, "Conv2d(16, 120, kernel 5x5)"},
      {"conv.7", {120, 1, 1}, 0, 0, "ReLU"},
      {"linear.0", {84, 1, 1}, 10'164, 10'080, "Linear(120, 84)"},
      {"linear.1", {84, 1, 1}, 0, 0, "ReLU"},
      {"linear.2", {10, 1, 1}, 850, 840, "Linear(84, 10)"},
      {"linear.3", {10, 1, 1}, 0, 0, "LogSoftmax"},
  }};
  const auto placed = PlaceLayers(10);
  ASSERT_EQ(placed.size(), rows.size());
  Shape input{1, 32, 32};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(rows[i].name);
    EXPECT_EQ(placed[i].layer.name, rows[i].name);
    EXPECT_EQ(placed[i].input, input);
    EXPECT_EQ(placed[i].output, rows[i].output);
    EXPECT_EQ(placed[i].parameters, rows[i].parameters);
    EXPECT_EQ(placed[i].multiply_adds, rows[i].multiply_adds);
    EXPECT_EQ(Describe(placed[i]), rows[i].description);
    input = placed[i].output;
  }
}

TEST(TopologyTest, WeightTensorsAreThoseOfTheStateDict) {
  const std::vector<TensorSpec> wanted{
      {"conv.0.weight", {6, 1, 5, 5}},    {"conv.0.bias", {6}},
      {"conv.3.weight", {16, 6, 5, 5}},   {"conv.3.bias", {16}},
      {"conv.6.weight", {120, 16, 5, 5}}, {"conv.6.bias", {120}},
      {"linear.0.weight", {84, 120}},     {"linear.0.bias", {84}},
      {"linear.2.weight", {10, 84}},      {"linear.2.bias", {10}},
  };
  const std::vector<TensorSpec> found = WeightTensors(10);
  ASSERT_EQ(found.size(), wanted.size());
  std::int64_t total = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(found[i].name, wanted[i].name);
    EXPECT_EQ(found[i].shape, wanted[i].shape);
    total += found[i].size();
  }
  EXPECT_EQ(total, 61'706);
}

TEST(TopologyTest, ClassesDecideTheLastDenseLayerAlone) {
  for (const int classes : {kMinClasses, 26, kMaxClasses}) {
    EXPECT_EQ(TotalParameters(classes), 61'706 - 850 + 85 * classes);
    EXPECT_EQ(TotalMultiplyAdds(classes), 416'520 - 840 + 84 * classes);
    const auto placed = PlaceLayers(classes);
    const auto digits = PlaceLayers(10);
    for (std::size_t i = 0; i < 10; ++i) {
      EXPECT_EQ(placed[i].output, digits[i].output);
      EXPECT_EQ(placed[i].parameters, digits[i].parameters);
    }
    EXPECT_EQ(placed[10].output, (Shape{classes, 1, 1}));
    EXPECT_EQ(placed[11].output, (Shape{classes, 1, 1}));
    const std::vector<TensorSpec> tensors = WeightTensors(classes);
    EXPECT_EQ(tensors[8].shape, (std::vector<std::int64_t>{classes, 84}));
    EXPECT_EQ(tensors[9].shape, (std::vector<std::int64_t>{classes}));
  }
}

TEST(TopologyTest, ShapesAreWrittenAsPythonWritesLists) {
  EXPECT_EQ(ShapeToString({6, 1, 5, 5}), "[6, 1, 5, 5]");
  EXPECT_EQ(ShapeToString({}), "[]");
}

}  // namespace
}  // namespace hellocnn
