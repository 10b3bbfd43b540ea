#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/testing/files.h"

#ifdef __GLIBC__
namespace {
std::vector<std::string> synced;  // the paths that fsync was called for
}
// A program may have functions of the C library of its own.
extern "C" int fsync(int descriptor) {
  synced.push_back(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(descriptor)));
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}
#endif

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FileTest : public ::testing::Test {
 protected:
  std::ptrdiff_t Files() const {
    const std::filesystem::directory_iterator all(directory_.path());
    return std::distance(begin(all), end(all));
  }

  // As the system shows it, and as MakeFolders puts its parts together.
  std::string Folder() const { return std::filesystem::canonical(directory_.path()).string(); }

  TemporaryDirectory directory_;
};

TEST_F(FileTest, NoMoreIsReadThanAskedFor) {
  const std::string path = directory_.Write("f", std::string("ab\0d", 4));
  EXPECT_EQ(*ReadFileStart(path, 3), std::string("ab\0", 3));
  EXPECT_EQ(*ReadFileStart(path, 4), std::string("ab\0d", 4));
  EXPECT_EQ(*ReadFileStart(path, std::size_t{1} << 60), std::string("ab\0d", 4));
}

// Checks that the error has this code, and names the file and the reason.
void ExpectError(const absl::Status& status, absl::StatusCode code, const std::string& path,
                 const std::string& reason) {
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), StartsWith(path + ": "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
}

TEST_F(FileTest, ReadErrorsHaveTheCodeOfTheirReason) {
  const std::string file = directory_.Write("f", "x");
  const std::string long_name = directory_.path() + "/" + std::string(300, 'n');
  ExpectError(ReadFileStart("/nowhere/f", 1).status(), absl::StatusCode::kNotFound, "/nowhere/f",
              "No such file or directory");
  ExpectError(ReadFileStart(file + "/g", 1).status(), absl::StatusCode::kFailedPrecondition,
              file + "/g", "Not a directory");
  ExpectError(ReadFileStart(long_name, 1).status(), absl::StatusCode::kInvalidArgument, long_name,
              "File name too long");
  ExpectError(ReadFileStart(directory_.path(), 1).status(), absl::StatusCode::kInvalidArgument,
              directory_.path(), "is not a regular file");
}

TEST_F(FileTest, PipeIsNotWaitedFor) {
  const std::string pipe = directory_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ExpectError(ReadFileStart(pipe, 1).status(), absl::StatusCode::kInvalidArgument, pipe,
              "is not a regular file");
}

TEST_F(FileTest, WriteErrorsHaveTheCodeOfTheirReason) {
  const std::string file = directory_.Write("f", "x");
  const std::string long_name = directory_.path() + "/" + std::string(300, 'n');
  ExpectError(ReplaceFile("/nowhere/f", "x"), absl::StatusCode::kNotFound, "/nowhere/f",
              "cannot be written: No such file or directory");
  ExpectError(ReplaceFile(file + "/g", "x"), absl::StatusCode::kFailedPrecondition, file + "/g",
              "Not a directory");
  ExpectError(ReplaceFile(long_name, "x"), absl::StatusCode::kInvalidArgument, long_name,
              "File name too long");
  // Nobody may make a file there, root neither.
  const absl::Status proc = ReplaceFile("/proc/hellocnn", "x");
  EXPECT_TRUE(absl::IsNotFound(proc) || absl::IsPermissionDenied(proc)) << proc;
}

TEST_F(FileTest, ReplacedFileHasTheNewContentAndNothingIsLeftBesideIt) {
  const std::string path = directory_.Write("f", "old and long");
  ASSERT_TRUE(ReplaceFile(path, "new").ok());
  EXPECT_EQ(ReadFile(path), "new");
  EXPECT_EQ(Files(), 1);
}

TEST_F(FileTest, OldContentStaysIfTheNewCannotBeWritten) {
  const std::string path = directory_.Write("f", "old");
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const absl::Status status = ReplaceFile(path, std::string(10'000, 'x'));
  std::signal(SIGXFSZ, handler);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  ExpectError(status, absl::StatusCode::kOutOfRange, path, "cannot be written: File too large");
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(Files(), 1);
}

TEST_F(FileTest, OnlyARegularFileIsReplaced) {
  ExpectError(ReplaceFile(directory_.path(), "x"), absl::StatusCode::kFailedPrecondition,
              directory_.path(), "is not a regular file");
  EXPECT_TRUE(std::filesystem::is_directory(directory_.path()));
  const std::string pipe = directory_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  ExpectError(ReplaceFile(pipe, "x"), absl::StatusCode::kFailedPrecondition, pipe,
              "is not a regular file");
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
  EXPECT_EQ(Files(), 1);
}

TEST_F(FileTest, FilesOfTheCurrentFolderAreReplacedToo) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(directory_.path());
  const absl::Status status = ReplaceFile("f", "x");
  std::filesystem::current_path(before);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(ReadFile(directory_.path() + "/f"), "x");
}

TEST_F(FileTest, ContentAndThenItsNameAreSynced) {
#ifdef __GLIBC__
  const std::string path = Folder() + "/f";
  synced.clear();
  ASSERT_TRUE(ReplaceFile(path, "x").ok());
  EXPECT_THAT(synced, ElementsAre(StartsWith(path + "."), Folder()));
  // Of two new folders, each name is in the folder above.
  synced.clear();
  ASSERT_TRUE(MakeFolders(Folder() + "/a/b").ok());
  EXPECT_THAT(synced, ElementsAre(Folder(), Folder() + "/a"));
#else
  GTEST_SKIP() << "the C library's fsync cannot be replaced";
#endif
}

TEST_F(FileTest, PrivateFileIsNewAndForItsOwnerOnly) {
  const std::string path = directory_.path() + "/secret";
  ASSERT_TRUE(WriteNewPrivateFile(path, "s3cret").ok());
  EXPECT_EQ(ReadFile(path), "s3cret");
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0600));
  ExpectError(WriteNewPrivateFile(path, "other"), absl::StatusCode::kAlreadyExists, path,
              "File exists");
  EXPECT_EQ(ReadFile(path), "s3cret");
  ExpectError(WriteNewPrivateFile("/nowhere/f", "x"), absl::StatusCode::kNotFound, "/nowhere/f",
              "No such file or directory");
}

TEST_F(FileTest, FoldersAreMadeAsFarAsTheyAreMissing) {
  const std::string folder = Folder() + "/a/b/";
  EXPECT_TRUE(MakeFolders(folder).ok());
  EXPECT_TRUE(MakeFolders(folder).ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder));
  directory_.Write("f", "x");
  const std::string file = Folder() + "/f";
  ExpectError(MakeFolders(file + "/g"), absl::StatusCode::kAlreadyExists, file, "File exists");
  const std::string long_name = Folder() + "/" + std::string(300, 'n');
  ExpectError(MakeFolders(long_name), absl::StatusCode::kInvalidArgument, long_name,
              "File name too long");
}

}  // namespace
}  // namespace hellocnn
