#include "tests/hellocnn/formats/weight_file_test.h"

#include <filesystem>

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class GoodWeightFileTest : public testing::TestWithParam<std::string> {};

TEST_P(GoodWeightFileTest, LoadsTheNumbersThatPytorchSaved) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  ASSERT_EQ(wanted.size(), 61'706U);
  EXPECT_EQ(LoadValues(PytorchFile(GetParam() + ".pt")), wanted);
}

INSTANTIATE_TEST_SUITE_P(Files, GoodWeightFileTest,
                         testing::Values("state_dict", "plain_dict", "keep_vars",
                                         "pickle_protocol_4", "non_contiguous", "one_storage",
                                         "scripted", "traced", "deflated", "big_endian"),
                         [](const auto& test) { return test.param; });

TEST(WeightFileTest, ExpandedTensorRepeatsItsValue) {
  const std::vector<float> values = LoadValues(PytorchFile("expanded.pt"));
  ASSERT_EQ(values.size(), 61'706U);
  EXPECT_EQ(std::vector<float>(values.end() - 10, values.end()), std::vector<float>(10, 0.25F));
}

TEST(WeightFileTest, MissingFileIsNotFound) {
  const absl::Status status = LoadWeightFile("/nowhere/w.pt").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/w.pt"));
}

TEST(WeightFileTest, OtherDtypesAreNamed) {
  for (const auto& [file, dtype] : {std::pair("half", "float16"),
                                    {"double", "float64"},
                                    {"bfloat16", "bfloat16"},
                                    {"int64", "int64"}}) {
    EXPECT_THAT(LoadError(PytorchFile(std::string(file) + ".pt")),
                AllOf(HasSubstr("conv.3.weight"), HasSubstr(std::string("dtype is ") + dtype),
                      HasSubstr("wanted float32")));
  }
}

TEST(WeightFileTest, SparseTensorIsRefused) {
  EXPECT_THAT(LoadError(PytorchFile("sparse.pt")),
              AllOf(HasSubstr("linear.0.weight"), HasSubstr("_rebuild_sparse_tensor")));
}

TEST(WeightFileTest, WrongTensorsAreNamed) {
  EXPECT_THAT(LoadError(PytorchFile("extra.pt")), HasSubstr("conv.9.weight"));
  EXPECT_THAT(LoadError(PytorchFile("missing.pt")), HasSubstr("linear.2.weight is missing"));
  EXPECT_THAT(LoadError(PytorchFile("misshaped.pt")),
              AllOf(HasSubstr("conv.3.bias"), HasSubstr("[17]"), HasSubstr("[16]")));
  EXPECT_THAT(LoadError(PytorchFile("nan.pt")),
              AllOf(HasSubstr("linear.2.bias"), HasSubstr("nan")));
  EXPECT_THAT(LoadError(PytorchFile("scripted_other.pt")), HasSubstr("conv.0.weight is missing"));
}

TEST(WeightFileTest, WholeModuleSaysToSaveTheStateDict) {
  EXPECT_THAT(LoadError(PytorchFile("whole_module.pt")),
              AllOf(HasSubstr("__main__.HelloCNN"), HasSubstr("model.state_dict()")));
}

TEST(WeightFileTest, LegacyFormatSaysToSaveAgain) {
  EXPECT_THAT(LoadError(PytorchFile("legacy.pt")),
              AllOf(HasSubstr("legacy format"), HasSubstr("PyTorch 1.6")));
}

TEST(WeightFileTest, CheckpointSaysWhereTheStateDictIs) {
  EXPECT_THAT(LoadError(PytorchFile("checkpoint.pt")), HasSubstr("checkpoint[\"model_state\"]"));
}

TEST(WeightFileTest, OtherPytorchFilesAreDescribed) {
  EXPECT_THAT(LoadError(PytorchFile("one_tensor.pt")), HasSubstr("_rebuild_tensor_v2"));
  EXPECT_THAT(LoadError(PytorchFile("list.pt")), HasSubstr("a list of 2"));
}

TEST(WeightFileTest, NothingInAFileIsRun) {
  const std::string marker = PytorchFile("marker");
  std::filesystem::remove(marker);
  // The real name of os.system is posix.system.
  EXPECT_THAT(LoadError(PytorchFile("malicious.pt")), HasSubstr("a call of posix.system"));
  EXPECT_THAT(LoadError(PytorchFile("malicious_root.pt")), HasSubstr("a call of posix.system"));
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST(WeightFileTest, WhatIsSavedHereLoadsHere) {
  const std::string original = PytorchFile("state_dict.pt");
  const absl::StatusOr<Weights> weights = LoadWeightFile(original);
  ASSERT_TRUE(weights.ok()) << weights.status();
  const TemporaryDirectory directory;
  const std::string copy = directory.path() + "/copy.pt";
  const absl::Status saved = SaveWeightFile(*weights, copy);
  ASSERT_TRUE(saved.ok()) << saved;
  EXPECT_EQ(LoadValues(copy), LoadValues(original));
}

}  // namespace
}  // namespace hellocnn
