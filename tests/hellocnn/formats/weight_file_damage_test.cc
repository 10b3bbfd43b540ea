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

}  // namespace
}  // namespace hellocnn
