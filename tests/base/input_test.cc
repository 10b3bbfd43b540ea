#include "base/input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using ::testing::HasSubstr;

TEST(ReadInput, ReadsFilesOfAnySizeUpToTheLimit) {
  const TemporaryDirectory folder;
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 200000}) {
    const std::string bytes(size, 'x');
    const absl::StatusOr<std::string> read = ReadInput(folder.Write("file", bytes), size);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, bytes);
  }
}

TEST(ReadInput, RejectsMoreThanTheLimit) {
  const TemporaryDirectory folder;
  const absl::Status status =
      ReadInput(folder.Write("file", std::string(65537, 'x')), 65536).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more than 65536 bytes"));
  EXPECT_EQ(ReadInput("/dev/zero", 1000).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ReadInput, ReadsAPipeFromItsFirstByteToItsLast) {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string bytes = "begin" + std::string(300000, 'x') + "end";
  std::thread writer([&] { WriteFile(path, bytes); });
  const absl::StatusOr<std::string> read = ReadInput(path, 1 << 20);
  writer.join();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == bytes);
}

TEST(ReadInput, DashIsStandardInput) {
  const TemporaryDirectory folder;
  const int before = dup(STDIN_FILENO);
  ASSERT_NE(std::freopen(folder.Write("file", "bytes").c_str(), "r", stdin), nullptr);
  const absl::StatusOr<std::string> read = ReadInput("-", 100);
  dup2(before, STDIN_FILENO);
  close(before);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, "bytes");
}

TEST(ReadInput, SaysWhatIsWrong) {
  const TemporaryDirectory folder;
  EXPECT_EQ(ReadInput(folder.path() + "/none", 10).status(),
            absl::NotFoundError(folder.path() + "/none: there is no such file"));
  EXPECT_EQ(ReadInput(folder.path(), 10).status(),
            absl::InvalidArgumentError(folder.path() + ": this is a folder; name files in it"));
}

}  // namespace
}  // namespace hellocnn
