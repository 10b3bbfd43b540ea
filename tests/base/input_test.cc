#include "base/input.h"

#include <fcntl.h>
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

TEST(ReadText, ReadsFilesOfAnySizeUpToTheLimit) {
  const TemporaryDirectory folder;
  for (const std::size_t size : {0, 1, 65535, 65536, 65537, 200000}) {
    const std::string bytes(size, 'x');
    const absl::StatusOr<std::string> read = ReadText(folder.Write("file", bytes), size);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, bytes);
  }
}

TEST(ReadText, RejectsMoreThanTheLimit) {
  const TemporaryDirectory folder;
  const absl::Status status =
      ReadText(folder.Write("file", std::string(65537, 'x')), 65536).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("more than 65536 bytes"));
}

TEST(ReadText, StopsAtWhatNoTextHas) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("file", std::string("text\0", 5));
  EXPECT_EQ(ReadText(path, 1000).status(),
            absl::InvalidArgumentError(path + ": this is not a text: there is a zero byte in it"));
  // It has no end, and nobody could wait for such a limit.
  EXPECT_EQ(ReadText("/dev/zero", std::size_t{1} << 60).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(ReadText, RejectsAPipeThatNobodyWritesTo) {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(ReadText(path, 10).status(),
            absl::FailedPreconditionError(path + ": this is a pipe that nobody writes to"));
}

TEST(OpenInput, TakesAPipeWhoseWriterHasNotWrittenYet) {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int writer = open(path.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  const absl::StatusOr<int> reader = OpenInput(path);
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ(write(writer, "ab", 2), 2);
  char bytes[3];
  EXPECT_EQ(read(*reader, bytes, sizeof bytes), 2);  // all of it, from the first byte
  EXPECT_EQ(fcntl(*reader, F_GETFL) & O_NONBLOCK, 0);
  close(*reader);
  close(writer);
}

TEST(OpenInput, TakesAPipeWhoseWriterIsGone) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "ab", 2), 2);
  close(ends[1]);
  const std::string path = absl::StrCat("/dev/fd/", ends[0]);  // as a shell names it for <(…)
  const absl::StatusOr<std::string> text = ReadText(path, 10);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(*text, "ab");
  EXPECT_EQ(*ReadText(path, 10), "");
  close(ends[0]);
}

TEST(ReadText, ReadsAPipeFromItsFirstByteToItsLast) {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const std::string bytes = "begin" + std::string(300000, 'x') + "end";
  std::thread writer([&] { WriteFile(path, bytes); });
  const absl::StatusOr<std::string> read = ReadText(path, 1 << 20);
  writer.join();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(*read == bytes);
}

TEST(ReadText, DashIsStandardInput) {
  const TemporaryDirectory folder;
  const int before = dup(STDIN_FILENO);
  ASSERT_NE(std::freopen(folder.Write("file", "bytes").c_str(), "r", stdin), nullptr);
  const absl::StatusOr<std::string> read = ReadText("-", 100);
  dup2(before, STDIN_FILENO);
  close(before);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, "bytes");
}

TEST(ReadText, SaysWhatIsWrong) {
  const TemporaryDirectory folder;
  EXPECT_EQ(ReadText(folder.path() + "/none", 10).status(),
            absl::NotFoundError(folder.path() + "/none: there is no such file"));
  EXPECT_EQ(ReadText(folder.path(), 10).status(),
            absl::InvalidArgumentError(folder.path() + ": this is a folder, not a file"));
}

}  // namespace
}  // namespace hellocnn
