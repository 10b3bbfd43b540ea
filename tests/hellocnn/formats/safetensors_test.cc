// Tests with safetensors files: files that Python wrote, files that the library writes, and invalid
// files.
#include <cstdint>
#include <filesystem>
#include <fstream>

#include "tests/hellocnn/formats/weight_file_test.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string SafetensorsFile(const std::string& name) {
  return std::string(HELLOCNN_SAFETENSORS_FILES) + "/" + name + ".safetensors";
}

// Returns a file of these parts, with the correct length of the header.
std::string Join(const std::string& header, const std::string& data = "") {
  std::string bytes;
  for (std::uint64_t length = header.size(), i = 0; i < 8; ++i, length >>= 8) {
    bytes.push_back(static_cast<char>(length));
  }
  return bytes + header + data;
}

// Returns the header's description of a tensor.
std::string Entry(const std::string& shape, const std::string& offsets,
                  const std::string& dtype = R"("F32")") {
  return R"({"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

class GoodSafetensorsTest : public testing::TestWithParam<std::string> {};

TEST_P(GoodSafetensorsTest, LoadsTheNumbersThatWereSaved) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  ASSERT_EQ(wanted.size(), 61'706U);
  EXPECT_EQ(LoadValues(SafetensorsFile(GetParam())), wanted);
}

INSTANTIATE_TEST_SUITE_P(Files, GoodSafetensorsTest,
                         testing::Values("plain", "metadata", "padded", "other_data_order"),
                         [](const auto& test) { return test.param; });

TEST(SafetensorsTest, WrongTensorsAreNamed) {
  EXPECT_THAT(LoadError(SafetensorsFile("extra")), HasSubstr("conv.9.weight does not belong"));
  EXPECT_THAT(LoadError(SafetensorsFile("empty_extra")),
              HasSubstr("conv.9.weight does not belong"));
  EXPECT_THAT(LoadError(SafetensorsFile("extra_I64")),
              HasSubstr("tensor conv.0.num_batches_tracked does not belong to HelloCNN"));
  EXPECT_THAT(LoadError(SafetensorsFile("missing")), HasSubstr("linear.2.weight is missing"));
  EXPECT_THAT(LoadError(SafetensorsFile("misshaped")),
              AllOf(HasSubstr("conv.3.bias"), HasSubstr("[17]"), HasSubstr("[16]")));
  EXPECT_THAT(LoadError(SafetensorsFile("nan")),
              AllOf(HasSubstr("conv.3.bias: value 3"), HasSubstr("nan")));
}

// An index, with what it names, in a folder of its own.
class SafetensorsIndexTest : public testing::Test {
 protected:
  SafetensorsIndexTest() {
    for (const std::string name : {"model-00001-of-00002", "model-00002-of-00002"}) {
      directory_.Write(name + ".safetensors", ReadFile(SafetensorsFile(name)));
    }
  }
  std::string ErrorOf(const std::string& index) {
    return LoadError(directory_.Write("index.json", index));
  }

  TemporaryDirectory directory_;
  const std::string good_ =
      ReadFile(std::string(HELLOCNN_SAFETENSORS_FILES) + "/model.safetensors.index.json");
};

TEST_F(SafetensorsIndexTest, TensorsComeFromAllFiles) {
  const std::string path = directory_.Write("index.json", good_);
  EXPECT_EQ(LoadValues(path), ReadFloats(PytorchFile("expected.f32")));
  std::vector<std::string> notes;
  LoadWeightFile(path, &notes).status().IgnoreError();
  EXPECT_THAT(notes, ElementsAre(HasSubstr("is an index; took the tensors of 2 files")));
}

TEST_F(SafetensorsIndexTest, WrongIndexesAreErrors) {
  EXPECT_THAT(ErrorOf(good_.substr(0, good_.size() - 3)), HasSubstr("is not JSON"));
  EXPECT_THAT(ErrorOf(R"({"weights":{}})"), HasSubstr("is JSON without \"weight_map\""));
  EXPECT_THAT(ErrorOf(R"({"weight_map":[]})"), HasSubstr("is JSON without \"weight_map\""));
  EXPECT_THAT(ErrorOf(R"({"weight_map":{}})"), HasSubstr("conv.0.weight"));
  EXPECT_THAT(ErrorOf(R"({"weight_map":{"a":7}})"), HasSubstr("tensor a: its file is number"));
  for (const std::string name : {"../x", "/etc/passwd", "", ".", "..", ".x", "x\\u0000"}) {
    EXPECT_THAT(ErrorOf(R"({"weight_map":{"a":")" + name + R"("}})"),
                HasSubstr("wanted the name of a file in the same folder"))
        << name;
  }
  EXPECT_THAT(ErrorOf(R"({"weight_map":{"a":"pytorch_model-00001-of-00002.bin"}})"),
              AllOf(HasSubstr("names pytorch_model-00001-of-00002.bin, a file of torch.save"),
                    HasSubstr("torch.save(state, \"weights.pt\")")));
  EXPECT_THAT(ErrorOf(R"({"weight_map":{"a\n":"model-00001-of-00002.safetensors"}})"),
              HasSubstr("which does not have it"));
  EXPECT_THAT(ErrorOf("{\"weight_map\":" + std::string(100'000, '[')),
              HasSubstr("nested more than 8 deep"));
  EXPECT_THAT(ErrorOf(R"({"weight_map":{"a":"b","a":"c"}})"), HasSubstr("has \"a\" twice"));
  EXPECT_THAT(ErrorOf("{       " + std::string(2 << 20, ' ')), HasSubstr("JSON of more than"));
  std::string many = R"({"weight_map":{)";
  for (int i = 0; i < 65; ++i) {
    const std::string name = "s" + std::to_string(i);
    directory_.Write(name,
                     Join(R"({"t)" + std::to_string(i) + R"(":)" + Entry("[0]", "[0,0]") + "}"));
    many += (i > 0 ? "," : "") + std::string("\"t") + std::to_string(i) + "\":\"" + name + "\"";
  }
  EXPECT_THAT(ErrorOf(many + "}}"), HasSubstr("names 65 files; wanted at most 64"));
}

TEST_F(SafetensorsIndexTest, FilesOfWeightsAreTheIndexAndWhatItNames) {
  const std::string path = directory_.Write("index.json", good_);
  const std::string folder = path.substr(0, path.rfind('/') + 1);
  EXPECT_THAT(FilesOfWeights(path).value(),
              ElementsAre(path, folder + "model-00001-of-00002.safetensors",
                          folder + "model-00002-of-00002.safetensors"));
  EXPECT_THAT(FilesOfWeights(folder + "model-00001-of-00002.safetensors").value(),
              ElementsAre(folder + "model-00001-of-00002.safetensors"));
  EXPECT_EQ(FilesOfWeights(folder + "absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FilesOfWeights(directory_.Write("index.json", "{\"a\": 12345}")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(SafetensorsIndexTest, FileThatIsNotThereIsNamed) {
  const absl::Status status =
      LoadWeightFile(directory_.Write("index.json", R"({"weight_map":{"a":"absent"}})")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("absent"));
}

TEST(SafetensorsTest, OtherDtypesAreConverted) {
  for (const std::string dtype : {"F64", "F16", "BF16"}) {
    const std::vector<float> wanted =
        ReadFloats(std::string(HELLOCNN_SAFETENSORS_FILES) + "/" + dtype + ".f32");
    ASSERT_EQ(wanted.size(), 61'706U);
    EXPECT_EQ(LoadValues(SafetensorsFile(dtype)), wanted) << dtype;
    std::vector<std::string> notes;
    EXPECT_TRUE(LoadWeightFile(SafetensorsFile(dtype), &notes).ok());
    EXPECT_THAT(notes, ElementsAre(HasSubstr("to float32 in 1 tensor: conv.3.bias"))) << dtype;
  }
  EXPECT_THAT(LoadError(SafetensorsFile("huge_F64")),
              HasSubstr("tensor conv.3.bias: value 5 is 1e+300"));
}

TEST(SafetensorsTest, DtypesThatCannotBeConvertedAreNamed) {
  for (const auto& [file, dtype] :
       {std::pair("I64", "\"I64\""), {"no_such_dtype", "\"f32\\u0000\""}}) {
    EXPECT_THAT(LoadError(SafetensorsFile(file)),
                AllOf(HasSubstr(std::string("tensor conv.3.bias: dtype is ") + dtype),
                      HasSubstr("wanted float32, float16, bfloat16 or float64")));
  }
}

TEST(SafetensorsTest, PrefixesAreStrippedAndNamed) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  for (const std::string prefix : {"_orig_mod.", "module.", "model.", "module._orig_mod."}) {
    const std::string path = SafetensorsFile("prefix_" + prefix);
    EXPECT_EQ(LoadValues(path), wanted) << prefix;
    std::vector<std::string> notes;
    EXPECT_TRUE(LoadWeightFile(path, &notes).ok());
    EXPECT_THAT(notes, ElementsAre(HasSubstr("\"" + prefix + "\""))) << prefix;
  }
}

class SavedWeightsTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }

  void Convert(const std::string& from, const std::string& to) {
    const absl::StatusOr<Weights> weights = LoadWeightFile(from);
    ASSERT_TRUE(weights.ok()) << weights.status();
    const absl::Status saved = SaveWeightFile(*weights, to);
    ASSERT_TRUE(saved.ok()) << saved;
  }

  TemporaryDirectory directory_;
};

TEST_F(SavedWeightsTest, NumbersStayTheSameFromFormatToFormat) {
  Convert(PytorchFile("state_dict.pt"), Path("a.safetensors"));
  Convert(Path("a.safetensors"), Path("b.pt"));
  Convert(Path("b.pt"), Path("c.safetensors"));
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  EXPECT_EQ(LoadValues(Path("a.safetensors")), wanted);
  EXPECT_EQ(LoadValues(Path("b.pt")), wanted);
  EXPECT_EQ(ReadFile(Path("c.safetensors")), ReadFile(Path("a.safetensors")));
}

TEST_F(SavedWeightsTest, FormatIsToldByContentNotByName) {
  std::filesystem::copy(SafetensorsFile("plain"), Path("safetensors.pt"));
  std::filesystem::copy(PytorchFile("state_dict.pt"), Path("state_dict.safetensors"));
  EXPECT_EQ(LoadValues(Path("safetensors.pt")), LoadValues(Path("state_dict.safetensors")));
}

TEST_F(SavedWeightsTest, DataIsAlignedAndAnExistingFileIsReplaced) {
  const std::string path = directory_.Write("w.safetensors", std::string(1'000'000, 'x'));
  Convert(PytorchFile("state_dict.pt"), path);
  EXPECT_EQ((ReadFile(path).size() - 4 * 61'706U) % 8, 0U);
  EXPECT_EQ(LoadValues(path), ReadFloats(PytorchFile("expected.f32")));
}

TEST_F(SavedWeightsTest, OtherEndingsAreRefused) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(PytorchFile("state_dict.pt"));
  ASSERT_TRUE(weights.ok()) << weights.status();
  const absl::Status status = SaveWeightFile(*weights, Path("w.onnx"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("w.onnx"), HasSubstr(".safetensors")));
  EXPECT_FALSE(std::filesystem::exists(Path("w.onnx")));
}

class HostileSafetensorsTest : public testing::Test {
 protected:
  std::string ErrorOf(const std::string& bytes) {
    return LoadError(directory_.Write("w.safetensors", bytes));
  }

  // Returns the error for a file with one tensor of that description and 24 bytes of data.
  std::string EntryError(const std::string& entry) {
    return ErrorOf(Join(R"({"conv.0.bias":)" + entry + "}", std::string(24, '\0')));
  }

  TemporaryDirectory directory_;
};

TEST_F(HostileSafetensorsTest, HeaderMustFitTheFileAndTheLimit) {
  const std::string good = Join(R"({"__metadata__":{}})");
  EXPECT_THAT(ErrorOf(good), HasSubstr("conv.0.weight is missing"));  // nothing else is wrong
  EXPECT_THAT(ErrorOf(good.substr(0, good.size() - 1)), HasSubstr("truncated"));
  std::string huge = good;
  huge[7] = '\xff';
  EXPECT_THAT(ErrorOf(huge), HasSubstr("header has 18374686479671623699 bytes; wanted at most"));
  EXPECT_THAT(ErrorOf(Join("{" + std::string(1 << 20, ' ') + "}")),
              HasSubstr("header has 1048578 bytes; wanted at most 1048576"));
}

TEST_F(HostileSafetensorsTest, FileThatIsTooLargeIsNotRead) {
  const std::string path = directory_.Write("w.safetensors", Join("{}"));
  std::filesystem::resize_file(path, std::uintmax_t{1} << 40);  // sparse, so it takes no space
  EXPECT_THAT(LoadError(path), HasSubstr("larger than 68157448 bytes"));
}

TEST_F(HostileSafetensorsTest, HeaderMustBeOneJsonObject) {
  for (const std::string header : {"{", "{]", "{}{}", "{} x", "{'a':1}", "{\"a\":1,}", "{// no\n}",
                                   "{\"\xff\":1}", "{\"\xed\xa0\x80\":1}", "{\"a\":1e999}"}) {
    EXPECT_THAT(ErrorOf(Join(header)), HasSubstr("header is not JSON: ")) << header;
  }
  EXPECT_THAT(ErrorOf(Join(std::string("{}\0x", 4))), HasSubstr("no NUL"));
}

TEST_F(HostileSafetensorsTest, NamesMustDiffer) {
  const std::string entry = Entry("[6]", "[0,24]");
  EXPECT_THAT(ErrorOf(Join(R"({"conv.0.bias":)" + entry + R"(,"conv\u002e0.bias":)" + entry + "}",
                           std::string(24, '\0'))),
              HasSubstr("\"conv.0.bias\" twice"));
  EXPECT_THAT(EntryError(R"({"shape":[7],"dtype":"F32","shape":[6],"data_offsets":[0,24]})"),
              HasSubstr("\"shape\" twice"));
}

TEST_F(HostileSafetensorsTest, DeepNestingIsRefused) {
  for (const std::string open : {"[", R"({"a":)"}) {
    std::string header = R"({"a":)";
    while (header.size() + open.size() < (1 << 20)) header += open;
    EXPECT_THAT(ErrorOf(Join(header)), HasSubstr("nested more than 3 deep"));
  }
  EXPECT_THAT(EntryError(Entry("[[6]]", "[0,24]")), HasSubstr("nested more than 3 deep"));
}

TEST_F(HostileSafetensorsTest, DescriptionMustBeWholeAndOfTheRightTypes) {
  for (const std::string entry : {"1", "[]", "null", "{}", R"({"dtype":"F32","shape":[6]})",
                                  R"({"dtype":"F32","shape":[6],"data_offsets":[0,24],"scale":2})",
                                  R"({"dtype":"F32","shape":[6],"offsets":[0,24]})"}) {
    EXPECT_THAT(EntryError(entry), HasSubstr("tensor conv.0.bias: is described by ")) << entry;
  }
  for (const std::string dtype : {"1", "null", "[\"F32\"]"}) {
    EXPECT_THAT(EntryError(Entry("[6]", "[0,24]", dtype)),
                HasSubstr("tensor conv.0.bias: dtype is " + dtype))
        << dtype;
  }
  for (const std::string shape :
       {"6", "null", "\"6\"", "{}", "[\"6\"]", "[6.0]", "[-6]", "[true]", "[9223372036854775808]",
        "[18446744073709551616]", "[1,1,1,1,1,1,1,1,6]"}) {
    EXPECT_THAT(EntryError(Entry(shape, "[0,24]")), HasSubstr("tensor conv.0.bias: shape is "))
        << shape;
  }
  for (const std::string offsets : {"24", "[24]", "[0,24,24]", "[0,-24]", "[0.0,24]", "[24,0]",
                                    "[0,25]", "[0,18446744073709551615]", "[null,24]"}) {
    EXPECT_THAT(EntryError(Entry("[6]", offsets)),
                HasSubstr("tensor conv.0.bias: data_offsets are "))
        << offsets;
  }
  for (const std::string metadata : {"1", "[]", R"({"a":1})", R"({"a":null})", R"({"a":{}})"}) {
    EXPECT_THAT(ErrorOf(Join(R"({"__metadata__":)" + metadata + "}")),
                HasSubstr("__metadata__ is " + metadata))
        << metadata;
  }
}

TEST_F(HostileSafetensorsTest, ShapeMustBeThatOfTheData) {
  for (const std::string shape :
       {"[5]", "[7]", "[]", "[0]", "[6,0]", "[4294967296,4294967296,6]",
        "[4294967296,4294967296,4294967296]", "[9223372036854775807,9223372036854775807]",
        "[4611686018427387905,2,2]"}) {
    EXPECT_THAT(EntryError(Entry(shape, "[0,24]")),
                AllOf(HasSubstr("tensor conv.0.bias: shape is ["), HasSubstr("span 24 bytes")))
        << shape;
  }
  EXPECT_THAT(EntryError(Entry("[5]", "[0,23]")), HasSubstr("span 23 bytes"));
}

TEST_F(HostileSafetensorsTest, DataMustBeCoveredOnce) {
  const auto two = [&](const std::string& first, const std::string& second) {
    return ErrorOf(Join(R"({"a":)" + first + R"(,"b":)" + second + "}", std::string(24, '\0')));
  };
  EXPECT_THAT(two(Entry("[3]", "[0,12]"), Entry("[3]", "[12,24]")), HasSubstr("is missing"));
  EXPECT_THAT(two(Entry("[3]", "[0,12]"), Entry("[4]", "[8,24]")),
              HasSubstr("tensor b: its data begins at byte 8; wanted byte 12"));
  EXPECT_THAT(two(Entry("[6]", "[0,24]"), Entry("[6]", "[0,24]")),
              HasSubstr("its data begins at byte 0; wanted byte 24"));
  EXPECT_THAT(two(Entry("[2]", "[0,8]"), Entry("[3]", "[12,24]")),
              HasSubstr("tensor b: its data begins at byte 12; wanted byte 8"));
  EXPECT_THAT(two(Entry("[2]", "[16,24]"), Entry("[2]", "[8,16]")),
              HasSubstr("tensor b: its data begins at byte 8; wanted byte 0"));
  EXPECT_THAT(two(Entry("[2]", "[0,8]"), Entry("[2]", "[8,16]")),
              HasSubstr("has 24 bytes of data; wanted 16"));
  EXPECT_THAT(two(Entry("[3]", "[0,12]"), Entry("[0]", "[4,4]")), HasSubstr("tensor b: its data"));
}

TEST_F(HostileSafetensorsTest, NamesAreShownEscapedAndShort) {
  EXPECT_THAT(ErrorOf(Join(R"({"\u001b[2J":1})")), HasSubstr(R"(tensor \x1b[2J: )"));
  const std::string error = ErrorOf(Join(R"({")" + std::string(100'000, 'x') + R"(":1})"));
  EXPECT_THAT(error, HasSubstr("its name has 100000 bytes; wanted at most 256"));
  EXPECT_LT(error.size(), 1000U);
}

// The format has no checksum, so these tests damage only the bytes before the data: the header and
// its length.
class DamagedSafetensorsTest : public testing::Test {
 protected:
  void SetUp() override {
    bytes_ = ReadFile(SafetensorsFile("metadata"));
    ASSERT_GT(bytes_.size(), kDataBytes);
  }

  static constexpr std::size_t kDataBytes = 61'706 * sizeof(float);

  std::string bytes_;
  TemporaryDirectory directory_;
};

// A file that loads in spite of the damage must give the same numbers. This is the case if only
// metadata changes.
TEST_F(DamagedSafetensorsTest, FlippedBitsOfTheHeaderNeverCrashOrChangeANumber) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  const std::string path = directory_.Write("w.safetensors", bytes_);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto put = [&](std::size_t at, int byte) {
    file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(byte)).flush();
    ASSERT_TRUE(file);
  };
  int loaded = 0;
  for (std::size_t at = 0; at < bytes_.size() - kDataBytes; ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      put(at, bytes_[at] ^ (1 << bit));
      const absl::StatusCode code = LoadWeightFile(path).status().code();
      if (code == absl::StatusCode::kOk) {
        ++loaded;
        EXPECT_EQ(LoadValues(path), wanted) << "byte " << at << ", bit " << bit;
      } else {
        EXPECT_EQ(code, absl::StatusCode::kInvalidArgument) << "byte " << at << ", bit " << bit;
      }
    }
    put(at, bytes_[at]);
  }
  EXPECT_GT(loaded, 0);
  EXPECT_LT(loaded, 500);
}

TEST_F(DamagedSafetensorsTest, TruncatedFileIsAnError) {
  const auto error = [&](std::size_t size) {
    return LoadError(directory_.Write("w.safetensors", bytes_.substr(0, size)));
  };
  EXPECT_THAT(error(8), HasSubstr("or a file of safetensors or ONNX"));
  const std::size_t data = bytes_.size() - kDataBytes;
  for (std::size_t size = 9; size < data; ++size) {
    EXPECT_THAT(error(size), HasSubstr("is truncated")) << size;
  }
  for (std::size_t size = data; size < bytes_.size(); size += 4999) {
    EXPECT_THAT(error(size), HasSubstr("the length of the data")) << size;
  }
  EXPECT_THAT(LoadError(directory_.Write("w.safetensors", bytes_ + "x")),
              HasSubstr("has 246825 bytes of data; wanted 246824"));
}

}  // namespace
}  // namespace hellocnn
