// Tests with archives of torch.export.save, which exported_programs.py writes.
#include "tests/hellocnn/formats/weight_file_test.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string ExportedFile(const std::string& name) { return PytorchFile(name + ".pt2"); }

std::string ExportedError(const std::string& name) { return LoadError(ExportedFile(name)); }

std::vector<std::string> NotesOf(const std::string& name) {
  std::vector<std::string> notes;
  const absl::Status status = LoadWeightFile(ExportedFile(name), &notes).status();
  EXPECT_TRUE(status.ok()) << status;
  return notes;
}

class RealExportedProgramTest : public testing::TestWithParam<std::string> {};

TEST_P(RealExportedProgramTest, HasTheNumbersThatPytorchSaved) {
  std::vector<float> wanted;
  for (int i = 0; i < 61'706; ++i) {
    wanted.push_back(static_cast<float>(37 * i % 251 - 125) / 1024);
  }
  EXPECT_EQ(LoadValues(ExportedFile(GetParam())), wanted);
  EXPECT_THAT(NotesOf(GetParam()), ElementsAre(HasSubstr("stripped the prefix \"module.\"")));
}

INSTANTIATE_TEST_SUITE_P(Files, RealExportedProgramTest,
                         testing::Values("pytorch_2.2", "pytorch_2.5", "pytorch_2.8",
                                         "pytorch_2.9"),
                         [](const auto& test) {
                           return "Of" + test.param.substr(8, 1) + "Point" + test.param.substr(10);
                         });

TEST(ExportedProgramTest, EveryLayoutIsRead) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  for (const std::string name :
       {"flat", "flat_json", "flat_nested", "archived", "listed", "listed_deflated",
        "listed_nested", "listed_shared", "listed_transposed", "listed_big_endian"}) {
    EXPECT_EQ(LoadValues(ExportedFile(name)), wanted) << name;
  }
  EXPECT_THAT(NotesOf("listed"), IsEmpty());
  EXPECT_THAT(NotesOf("flat"), IsEmpty());
  EXPECT_THAT(NotesOf("listed_nested"), ElementsAre(HasSubstr("stripped the prefix \"net.net.\"")));
  EXPECT_THAT(NotesOf("flat_nested"), ElementsAre(HasSubstr("stripped the prefix \"net.net.\"")));
}

TEST(ExportedProgramTest, OtherDtypesAreConverted) {
  for (const std::string dtype : {"float16", "bfloat16", "float64"}) {
    const std::vector<float> wanted = ReadFloats(PytorchFile(dtype + ".f32"));
    EXPECT_EQ(LoadValues(ExportedFile("listed_" + dtype)), wanted);
    EXPECT_THAT(NotesOf("listed_" + dtype),
                ElementsAre(HasSubstr(dtype + " to float32 in 10 tensors")));
  }
  EXPECT_EQ(LoadValues(ExportedFile("flat_half")), ReadFloats(PytorchFile("float16.f32")));
  EXPECT_THAT(ExportedError("listed_int64"),
              AllOf(HasSubstr("tensor conv.3.bias: dtype is int64; wanted float32"),
                    HasSubstr("convert with .float()")));
  EXPECT_THAT(ExportedError("listed_unknown_dtype"), HasSubstr("dtype is 99; wanted"));
  EXPECT_THAT(ExportedError("flat_int64"),
              AllOf(HasSubstr("serialized_state_dict.pt: tensor conv.3.weight"),
                    HasSubstr("dtype is int64")));
}

TEST(ExportedProgramTest, TensorsMustBeThoseOfTheNetwork) {
  EXPECT_THAT(ExportedError("listed_extra"),
              HasSubstr("tensor bn.num_batches_tracked does not belong to HelloCNN"));
  EXPECT_THAT(ExportedError("listed_missing"),
              HasSubstr("linear.2.bias is missing; wanted [classes]"));
}

TEST(ExportedProgramTest, WhatCannotBeReadSaysWhatToDoInPython) {
  const std::string save = "torch.save(model.state_dict(), path)";
  EXPECT_THAT(ExportedError("compiled"), AllOf(HasSubstr("AOTInductor"), HasSubstr(save)));
  EXPECT_THAT(ExportedError("without_weights"),
              AllOf(HasSubstr("without weights among its 4 records (f/archive_format, "),
                    HasSubstr("torch.export.save("), HasSubstr(save)));
  EXPECT_THAT(ExportedError("two_models"),
              AllOf(HasSubstr("the weights of 2 models, model_weights_config.json and other_"),
                    HasSubstr(save)));
  EXPECT_THAT(ExportedError("flat_mangled"),
              AllOf(HasSubstr("conv.0.weight is missing"),
                    HasSubstr("PyTorch 2.1 changed these names; export the model")));
  EXPECT_THAT(ExportedError("flat_damaged"),
              AllOf(HasSubstr("serialized_state_dict.pt: "), HasSubstr("truncated or damaged")));
}

TEST(ExportedProgramTest, OddListsAreErrors) {
  const std::string record = "record \"f/data/weights/model_weights_config.json\" ";
  EXPECT_THAT(ExportedError("list_text"), HasSubstr(record + "is \"[]\"; wanted JSON"));
  EXPECT_THAT(ExportedError("list_no_config"), HasSubstr(record + "has no \"config\", an object"));
  EXPECT_THAT(ExportedError("list_twice"), HasSubstr("has \"a\" twice"));
  EXPECT_THAT(ExportedError("list_deep"), HasSubstr("nested more than 16 deep"));
  EXPECT_THAT(ExportedError("list_long_name"), HasSubstr("257 bytes; wanted at most 256"));
  EXPECT_THAT(ExportedError("list_huge"), HasSubstr("1048578 bytes; wanted at most 1048576"));
  EXPECT_THAT(ExportedError("listed_odd_byte_order"), HasSubstr("byte order is \"middle\""));
}

TEST(ExportedProgramTest, OddTensorsAreErrors) {
  for (const auto& [name, message] :
       {std::pair("pickled", "sparse, quantized or of a class of its own; wanted a plain dense"),
        {"sparse", "wanted a plain dense tensor"},
        {"number", "is described by 7; wanted an object with path_name"},
        {"no_meta", "wanted a plain dense tensor"},
        {"symbolic", "each {\"as_int\": N} with N not negative"},
        {"negative", "with N not negative"},
        {"too_large", "with N not negative"},
        {"stride_missing", "sizes and strides of the same length"},
        {"far", "reaches beyond its storage of 16 values"},
        {"huge_shape", "wanted at most 16777216 values"},
        {"expanded", "wanted at most 16777216 values"},
        {"odd_storage", "its storage has 63 bytes; wanted a multiple of 4"},
        {"short_storage", "reaches beyond its storage of 15 values"},
        {"no_storage", "record \"f/data/weights/weight_3\" is missing"}}) {
    EXPECT_THAT(ExportedError(std::string("listed_") + name),
                AllOf(HasSubstr("tensor conv.3.bias: "), HasSubstr(message)));
  }
}

}  // namespace
}  // namespace hellocnn
