#include "tests/hellocnn/formats/weight_file_test.h"

#include <cstring>
#include <filesystem>

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The values of a good file in the order of WeightTensors(), and what its loader noted.
struct Loaded {
  std::vector<float> values;
  std::vector<std::string> notes;
};

Loaded Load(const std::string& path) {
  Loaded loaded{LoadValues(path), {}};
  LoadWeightFile(path, &loaded.notes).status().IgnoreError();
  return loaded;
}

class GoodWeightFileTest : public testing::TestWithParam<std::string> {};

TEST_P(GoodWeightFileTest, LoadsTheNumbersThatPytorchSaved) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  ASSERT_EQ(wanted.size(), 61'706U);
  EXPECT_EQ(LoadValues(PytorchFile(GetParam() + ".pt")), wanted);
}

INSTANTIATE_TEST_SUITE_P(Files, GoodWeightFileTest,
                         testing::Values("state_dict", "plain_dict", "keep_vars",
                                         "pickle_protocol_4", "non_contiguous", "one_storage",
                                         "scripted", "traced", "deflated", "big_endian", "legacy",
                                         "legacy_3", "legacy_4", "legacy_5", "legacy_transposed",
                                         "legacy_shared", "legacy_checkpoint"),
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

TEST(WeightFileTest, OtherDtypesAreConvertedAsPytorchConvertsThem) {
  for (const auto& [dtype, verb] :
       {std::pair("float16", "widened"), {"bfloat16", "widened"}, {"float64", "rounded"}}) {
    const std::string conversion = std::string(verb) + " " + dtype + " to float32 in ";
    const Loaded all = Load(PytorchFile(std::string(dtype) + ".pt"));
    EXPECT_EQ(all.values, ReadFloats(PytorchFile(std::string(dtype) + ".f32")));
    EXPECT_THAT(all.notes, ElementsAre(HasSubstr(conversion + "10 tensors: conv.0.weight, ")));
    const Loaded one = Load(PytorchFile(std::string("one_") + dtype + ".pt"));
    EXPECT_EQ(one.values, ReadFloats(PytorchFile(std::string("one_") + dtype + ".f32")));
    EXPECT_THAT(one.notes, ElementsAre(HasSubstr(conversion + "1 tensor: linear.0.weight")));
  }
}

TEST(WeightFileTest, EveryFiniteFloat16IsWidenedExactly) {
  for (const std::string file : {"halves", "more_halves"}) {
    const std::vector<float> wanted = ReadFloats(PytorchFile(file + ".f32"));
    const std::vector<float> values = LoadValues(PytorchFile(file + ".pt"));
    ASSERT_EQ(values.size(), wanted.size());
    // By their bits, which tell one zero from the other.
    EXPECT_EQ(std::memcmp(values.data(), wanted.data(), values.size() * sizeof(float)), 0) << file;
  }
}

TEST(WeightFileTest, Float64IsRoundedAndMayNotOverflow) {
  EXPECT_EQ(LoadValues(PytorchFile("fine_float64.pt")),
            ReadFloats(PytorchFile("fine_float64.f32")));
  EXPECT_THAT(LoadError(PytorchFile("huge_float64.pt")),
              AllOf(HasSubstr("tensor conv.3.bias: value 7 is -1e+300"), HasSubstr("float32")));
}

TEST(WeightFileTest, DtypesThatCannotBeConvertedAreNamed) {
  EXPECT_THAT(LoadError(PytorchFile("int64.pt")),
              AllOf(HasSubstr("conv.3.weight"), HasSubstr("dtype is int64"),
                    HasSubstr("wanted float32, float16, bfloat16 or float64")));
}

TEST(WeightFileTest, NoteIsGivenOnlyWhereSomethingWasChanged) {
  EXPECT_THAT(Load(PytorchFile("state_dict.pt")).notes, IsEmpty());
  EXPECT_THAT(Load(PytorchFile("scripted.pt")).notes, IsEmpty());
}

TEST(WeightFileTest, PrefixesAndWrappersAreStrippedAndNamed) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  for (const auto& [file, note] :
       {std::pair("compiled", "stripped the prefix \"_orig_mod.\" from the names of all 10"),
        {"parallel", "stripped the prefix \"module.\""},
        {"compiled_parallel", "stripped the prefix \"module._orig_mod.\""},
        {"any_prefix", "stripped the prefix \"net/\\xc3\\xa9.backbone.\""},
        {"compiled_parts", "\"conv._orig_mod.0.bias\" is read as \"conv.0.bias\""}}) {
    const Loaded loaded = Load(PytorchFile(std::string(file) + ".pt"));
    EXPECT_EQ(loaded.values, wanted) << file;
    EXPECT_THAT(loaded.notes, ElementsAre(HasSubstr(note))) << file;
  }
  EXPECT_THAT(Load(PytorchFile("compiled_half.pt")).notes,
              ElementsAre(HasSubstr("_orig_mod."), HasSubstr("widened float16")));
}

TEST(WeightFileTest, PrefixThatNotAllShareIsAnError) {
  EXPECT_THAT(LoadError(PytorchFile("mixed_prefixes.pt")), HasSubstr("b.conv.0.weight is missing"));
  EXPECT_THAT(LoadError(PytorchFile("prefix_missing.pt")),
              HasSubstr("tensor linear.0.bias is missing; wanted [84]"));
  EXPECT_THAT(LoadError(PytorchFile("two_models.pt")),
              AllOf(HasSubstr("\"student.\""), HasSubstr("\"teacher.\"")));
  EXPECT_THAT(LoadError(PytorchFile("twice.pt")),
              AllOf(HasSubstr("_orig_mod.conv.0.bias"), HasSubstr("could both be conv.0.bias")));
}

TEST(WeightFileTest, TensorThatDoesNotBelongIsNamedWhateverItsDtype) {
  for (const auto& [file, name] : {std::pair("extra", "conv.9.weight"),
                                   {"extra_int64", "conv.0.num_batches_tracked"},
                                   {"prefix_extra", "module.bn.num_batches_tracked"},
                                   {"averaged", "n_averaged"}}) {
    EXPECT_THAT(LoadError(PytorchFile(std::string(file) + ".pt")),
                AllOf(HasSubstr(std::string("tensor ") + name + " does not belong to HelloCNN"),
                      Not(HasSubstr("dtype"))));
  }
}

TEST(WeightFileTest, SparseTensorIsRefused) {
  EXPECT_THAT(LoadError(PytorchFile("sparse.pt")),
              AllOf(HasSubstr("linear.0.weight"), HasSubstr("_rebuild_sparse_tensor")));
}

TEST(WeightFileTest, WrongTensorsAreNamed) {
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

TEST(WeightFileTest, FormatBeforePytorch16HasTheSameNotesAndErrors) {
  EXPECT_THAT(Load(PytorchFile("legacy.pt")).notes, IsEmpty());
  EXPECT_THAT(Load(PytorchFile("legacy_checkpoint.pt")).notes,
              ElementsAre(HasSubstr("took checkpoint[\"model\"]")));
  const Loaded half = Load(PytorchFile("legacy_half.pt"));
  EXPECT_EQ(half.values, ReadFloats(PytorchFile("float16.f32")));
  EXPECT_THAT(half.notes, ElementsAre(HasSubstr("widened float16")));
  EXPECT_THAT(LoadError(PytorchFile("legacy_module.pt")),
              AllOf(HasSubstr("__main__.HelloCNN"), HasSubstr("model.state_dict()")));
}

TEST(WeightFileTest, StateDictOfACheckpointIsFoundAndNamed) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  for (const std::string key : {"state_dict", "model", "model_state_dict", "net"}) {
    const Loaded loaded = Load(PytorchFile("checkpoint_" + key + ".pt"));
    EXPECT_EQ(loaded.values, wanted) << key;
    EXPECT_THAT(loaded.notes, ElementsAre(HasSubstr("took checkpoint[\"" + key + "\"]")));
  }
  EXPECT_EQ(LoadValues(PytorchFile("lightning.pt")), wanted);
  EXPECT_EQ(LoadValues(PytorchFile("checkpoint_shared.pt")), wanted);
  const Loaded nested = Load(PytorchFile("checkpoint_nested.pt"));
  EXPECT_EQ(nested.values, wanted);
  EXPECT_THAT(nested.notes, ElementsAre(HasSubstr("took checkpoint[\"checkpoint\"][\"model\"]"),
                                        HasSubstr("\"module.\"")));
}

TEST(WeightFileTest, CheckpointWithoutOneModelSaysWhatItHas) {
  EXPECT_THAT(LoadError(PytorchFile("checkpoint_two.pt")),
              AllOf(HasSubstr("checkpoint[\"model\"] and checkpoint[\"ema\"]"),
                    HasSubstr("torch.save(checkpoint[\"model\"], path)")));
  EXPECT_THAT(LoadError(PytorchFile("checkpoint_other.pt")),
              HasSubstr("key, the string \"model\""));
  EXPECT_THAT(LoadError(PytorchFile("checkpoint_none.pt")), HasSubstr("key, the string \"epoch\""));
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
  EXPECT_THAT(LoadError(PytorchFile("legacy_malicious.pt")), HasSubstr("a call of posix.system"));
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
