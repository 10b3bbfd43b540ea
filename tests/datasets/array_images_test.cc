#include "datasets/array_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/datasets/numpy_files.h"

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<GreyImages> Images(const std::string& name, std::vector<std::string>& notes) {
  absl::StatusOr<NpyArray> array = ReadNpy(NumpyFile(name));
  if (!array.ok()) return array.status();
  return ImagesOfArray("a.npy", *std::move(array), notes);
}

std::string ImagesError(const std::string& name) {
  std::vector<std::string> notes;
  const absl::StatusOr<GreyImages> images = Images("wrong/" + name + ".npy", notes);
  EXPECT_EQ(images.status().code(), absl::StatusCode::kInvalidArgument) << name;
  return std::string(images.status().message());
}

absl::StatusOr<std::vector<int>> Labels(const std::string& name) {
  const absl::StatusOr<NpyArray> array = ReadNpy(NumpyFile(name));
  if (!array.ok()) return array.status();
  return LabelsOfArray("a.npy", *array);
}

TEST(ArrayImagesTest, EveryTypeShapeAndOrderGivesTheSamePixels) {
  for (const std::string name :
       {"uint8", "int16", "int32_big_endian", "uint64", "float32_share", "float64_share_big_endian",
        "float32_levels", "channel_first", "channel_last", "flat", "fortran",
        "fortran_channel_first", "fortran_channel_last", "fortran_flat", "fortran_float32"}) {
    std::vector<std::string> notes;
    const absl::StatusOr<GreyImages> images = Images("images/" + name + ".npy", notes);
    ASSERT_TRUE(images.ok()) << name << ": " << images.status();
    EXPECT_EQ(images->side, 28) << name;
    EXPECT_EQ(images->count(), 5U) << name;
    EXPECT_EQ(images->pixels, NumpyPixels(5)) << name;
    EXPECT_EQ(notes.empty(), name.find("float") == std::string::npos) << name;
  }
}

TEST(ArrayImagesTest, ImagesOf32PixelsKeepTheirSize) {
  std::vector<std::string> notes;
  const absl::StatusOr<GreyImages> images = Images("images/side32.npy", notes);
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->side, 32);
  EXPECT_EQ(images->pixels, NumpyPixels(5, 32));
}

TEST(ArrayImagesTest, WhatIsDoneToFloatsIsSaid) {
  std::vector<std::string> notes;
  ASSERT_TRUE(Images("images/float32_share.npy", notes).ok());
  ASSERT_TRUE(Images("images/float32_levels.npy", notes).ok());
  EXPECT_THAT(notes,
              ElementsAre("a.npy: float32 from 0 to 1 are multiplied by 255 and rounded",
                          "a.npy: float32 are whole numbers from 0 to 255, and taken as grey "
                          "levels"));
}

TEST(ArrayImagesTest, OtherShapesTypesAndRangesAreNamed) {
  EXPECT_THAT(ImagesError("colour"),
              HasSubstr("has the shape [2, 28, 28, 3]; wanted images in grey: [N, 28, 28]"));
  EXPECT_THAT(ImagesError("side30"), HasSubstr("has the shape [2, 30, 30]"));
  EXPECT_THAT(ImagesError("none"), HasSubstr("has no image; wanted at least one"));
  EXPECT_THAT(ImagesError("bool_images"), HasSubstr("save array.astype('uint8') * 255"));
  EXPECT_THAT(ImagesError("above"), HasSubstr("is of int16 and has values from 200 to 336"));
  EXPECT_THAT(ImagesError("below"), HasSubstr("has values from -1 to 135"));
  EXPECT_THAT(ImagesError("standardised"), HasSubstr("is of float32 and has values from -0.4"));
  EXPECT_THAT(ImagesError("nan"), HasSubstr("has NaN; wanted grey levels"));
  EXPECT_THAT(ImagesError("black_and_white"), HasSubstr("which looks like black and white"));
}

TEST(ArrayImagesTest, LabelsMayBeIntegersOfAnyKind) {
  for (const std::string name : {"uint8", "int8", "int16", "uint16", "int32_big", "int64",
                                 "int64_big", "uint64", "column"}) {
    const absl::StatusOr<std::vector<int>> labels = Labels("labels/" + name + ".npy");
    ASSERT_TRUE(labels.ok()) << name << ": " << labels.status();
    EXPECT_THAT(*labels, ElementsAre(0, 1, 2, 0, 1)) << name;
  }
}

TEST(ArrayImagesTest, WhatIsNoLabelIsNamed) {
  EXPECT_THAT(std::string(Labels("wrong/float_labels.npy").status().message()),
              HasSubstr("is of float32; wanted integers: save array.astype('int64')"));
  EXPECT_THAT(std::string(Labels("wrong/one_hot.npy").status().message()),
              HasSubstr("has the shape [5, 3]; wanted [N], a label for each image: save "
                        "array.argmax(1)"));
  EXPECT_THAT(std::string(Labels("wrong/huge_label.npy").status().message()),
              HasSubstr("label 1 is 1.09951e+12"));
}

}  // namespace
}  // namespace hellocnn
