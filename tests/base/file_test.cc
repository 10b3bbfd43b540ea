#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using testing::HasSubstr;

class FileTest : public testing::Test {
 protected:
  std::ptrdiff_t Files() const {
    const std::filesystem::directory_iterator all(directory_.path());
    return std::distance(begin(all), end(all));
  }

  TemporaryDirectory directory_;
};

TEST_F(FileTest, NoMoreIsReadThanAskedFor) {
  const std::string path = directory_.Write("f", std::string("ab\0d", 4));
  EXPECT_EQ(*ReadFileStart(path, 3), std::string("ab\0", 3));
  EXPECT_EQ(*ReadFileStart(path, 4), std::string("ab\0d", 4));
  EXPECT_EQ(*ReadFileStart(path, std::size_t{1} << 60), std::string("ab\0d", 4));
}

TEST_F(FileTest, WhatCannotBeReadIsNamed) {
  const absl::Status missing = ReadFileStart("/nowhere/f", 1).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("/nowhere/f"));
  const absl::Status folder = ReadFileStart(directory_.path(), 1).status();
  EXPECT_EQ(folder.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(folder.message()), HasSubstr(directory_.path()));
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
  EXPECT_EQ(status.code(), absl::StatusCode::kUnknown);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("cannot write " + path + ": File too large"));
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(Files(), 1);
}

TEST_F(FileTest, FolderIsNotReplaced) {
  EXPECT_EQ(ReplaceFile(directory_.path(), "x").code(), absl::StatusCode::kUnknown);
  EXPECT_TRUE(std::filesystem::is_directory(directory_.path()));
  EXPECT_FALSE(ReplaceFile("/nowhere/f", "x").ok());
}

}  // namespace
}  // namespace hellocnn
