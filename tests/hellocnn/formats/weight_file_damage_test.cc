// Tests with damaged files. No file may crash the loader, and each must get a helpful error.
#include <random>

#include "tests/hellocnn/formats/weight_file_test.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class WeightFileDamageTest : public testing::Test {
 protected:
  std::string ErrorOf(const std::string& bytes) {
    return LoadError(directory_.Write("w.pt", bytes));
  }

  TemporaryDirectory directory_;
};

TEST_F(WeightFileDamageTest, OtherFormatsAreNamed) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf("\x89PNG\r\n\x1a\n and so on"), HasSubstr("PNG"));
  EXPECT_THAT(ErrorOf("\x80\x02}q."), HasSubstr("bare Python pickle"));
  EXPECT_THAT(ErrorOf("hello, world"), HasSubstr("starts with \"hello, w\""));
  EXPECT_THAT(ErrorOf(std::string(1, 'P')), HasSubstr("not a zip archive"));
  EXPECT_THAT(LoadError(directory_.path()), HasSubstr("not a regular file"));
}

// The zip library says of such an offset what the system says of a file that is too large.
TEST_F(WeightFileDamageTest, OffsetBeyondAnyFileIsDamageAndNoErrorOfTheSystem) {
  const std::string bytes =
      ReadFile(HELLOCNN_SOURCE_DIR "/fuzz/corpus/pytorch_file/offset_beyond_any_file.bin");
  EXPECT_THAT(ErrorOf(bytes), HasSubstr("truncated or damaged"));
}

TEST_F(WeightFileDamageTest, TruncatedFileIsAnError) {
  for (const std::string file : {"state_dict.pt", "scripted.pt"}) {
    const std::string bytes = ReadFile(PytorchFile(file));
    for (std::size_t size = 4; size < bytes.size(); size += size < 4096 ? 97 : 9973) {
      EXPECT_THAT(ErrorOf(bytes.substr(0, size)), HasSubstr("truncated or damaged")) << size;
    }
    for (std::size_t missing = 1; missing < 64; ++missing) {
      EXPECT_FALSE(ErrorOf(bytes.substr(0, bytes.size() - missing)).empty());
    }
  }
}

TEST_F(WeightFileDamageTest, FlippedNumbersAreCaughtByTheChecksum) {
  std::string bytes = ReadFile(PytorchFile("state_dict.pt"));
  bytes[bytes.size() / 2] ^= 1;  // within conv.6.weight, by far the largest record
  EXPECT_THAT(ErrorOf(bytes), AllOf(HasSubstr("data/4"), HasSubstr("CRC")));
}

// Whether a flipped bit matters depends on its place: changes of padding and dates are not
// detected. A file that still loads must give the same numbers.
TEST_F(WeightFileDamageTest, FlippedBitsNeverCrashOrChangeANumber) {
  const std::vector<float> wanted = ReadFloats(PytorchFile("expected.f32"));
  const std::string good = ReadFile(PytorchFile("state_dict.pt"));
  std::mt19937 random(1);
  const auto check = [&](std::size_t at) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    const std::string path = directory_.Write("w.pt", bytes);
    if (LoadWeightFile(path).ok()) {
      EXPECT_EQ(LoadValues(path), wanted) << at;
    }
  };
  for (std::size_t at = 0; at < 1500; at += 3) check(at);  // first header, pickle
  for (std::size_t at = good.size() - 1500; at < good.size(); ++at) check(at);  // directory
  for (int i = 0; i < 200; ++i) check(random() % good.size());
}

TEST_F(WeightFileDamageTest, TruncatedFileOfTheOldFormatIsAnError) {
  const std::string bytes = ReadFile(PytorchFile("legacy.pt"));
  for (std::size_t size = 15; size < bytes.size(); size += size < 4096 ? 7 : 9973) {
    EXPECT_THAT(ErrorOf(bytes.substr(0, size)), HasSubstr("truncated")) << size;
  }
  EXPECT_THAT(ErrorOf(bytes.substr(0, bytes.size() - 1)), HasSubstr("truncated"));
  EXPECT_THAT(ErrorOf(bytes + "x"), HasSubstr("1 bytes behind its last storage"));
}

TEST_F(WeightFileDamageTest, FlippedBitsOfTheOldFormatNeverCrash) {
  const std::string good = ReadFile(PytorchFile("legacy.pt"));
  std::mt19937 random(1);
  for (std::size_t at = 0; at < 4000; at += 29) {  // the pickles, and the first storages
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
    const absl::Status status = LoadWeightFile(directory_.Write("w.pt", bytes)).status();
    EXPECT_TRUE(status.ok() || absl::IsInvalidArgument(status)) << status;
  }
}

TEST_F(WeightFileDamageTest, WrongPartsOfTheOldFormatAreNamed) {
  using std::string_literals::operator""s;
  const std::string magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s;
  const std::string version = "\x80\x02M\xe9\x03."s;
  const std::string machine = "\x80\x02}."s;
  const auto storage = [](const std::string& type, const std::string& view) {
    return "\x80\x02}X\1\0\0\0a(X\7\0\0\0storagectorch\n"s + type + "\nX\1\0\0\0kX\3\0\0\0cpuK\1"s +
           view + "tQs."s;
  };
  const std::string keys = "\x80\x02]X\1\0\0\0ka."s;
  EXPECT_THAT(ErrorOf(magic + "\x80\x02M\xea\x03."s), HasSubstr("version is the integer 1002"));
  EXPECT_THAT(ErrorOf(magic + version + machine + storage("QInt8Storage", "")),
              AllOf(HasSubstr("storage k"), HasSubstr("torch.QInt8Storage")));
  EXPECT_THAT(ErrorOf(magic + version + machine + storage("FloatStorage", ")")),
              HasSubstr("is a part of another one"));
  EXPECT_THAT(ErrorOf(magic + version + machine + storage("FloatStorage", "N") + machine),
              HasSubstr("its list of storages is a dict of 0"));
  EXPECT_THAT(ErrorOf(magic + version + machine + "\x80\x02}."s + keys),
              HasSubstr("its list of storages has the string \"k\""));
  EXPECT_THAT(ErrorOf(magic + version + machine + storage("FloatStorage", "N") + keys +
                      std::string(8, '\xff')),
              HasSubstr("is truncated: 8 bytes are left for storage k"));
}

}  // namespace
}  // namespace hellocnn
