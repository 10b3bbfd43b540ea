#include "base/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class UnixSocketTest : public ::testing::Test {
 protected:
  UnixSocketTest() {
    folder_ = ::testing::TempDir() + "unix_XXXXXX";
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/a.sock";
    address_ = "unix:" + path_;
  }
  ~UnixSocketTest() override { std::filesystem::remove_all(folder_); }

  std::string Rejection() const {
    const absl::StatusOr<int> listening = ListenOnUnixSocket(address_);
    EXPECT_EQ(listening.status().code(), absl::StatusCode::kUnavailable) << address_;
    return std::string(listening.status().message());
  }

  std::string folder_, path_, address_;
};

TEST_F(UnixSocketTest, PathsAreAbsoluteAndFitIntoASocketsName) {
  EXPECT_EQ(*ParseUnixAddress("unix:/run/a.sock"), "/run/a.sock");
  EXPECT_EQ(*ParseUnixAddress("unix:///run/a.sock"), "/run/a.sock");
  EXPECT_FALSE(IsUnixAddress("127.0.0.1:8500"));
  for (const char* wrong :
       {"unix:", "unix:/", "unix://", "unix:///", "unix://host/a.sock", "unix:a.sock"}) {
    EXPECT_TRUE(IsUnixAddress(wrong));
    EXPECT_THAT(std::string(ParseUnixAddress(wrong).status().message()),
                HasSubstr("wanted unix:/path"))
        << wrong;
  }
  EXPECT_TRUE(ParseUnixAddress("unix:/" + std::string(106, 'a')).ok());
  EXPECT_EQ(ParseUnixAddress("unix:/" + std::string(107, 'a')).status().message(),
            "the path has 108 bytes; the path of a Unix socket has at most 107");
  EXPECT_FALSE(ParseUnixAddress("unix:/a\nb").ok());
}

TEST_F(UnixSocketTest, TheSocketOfALivingServerIsTakenAndThatOfADeadOneReplaced) {
  const absl::StatusOr<int> first = ListenOnUnixSocket(address_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_THAT(Rejection(), AllOf(HasSubstr(address_), HasSubstr("another server listens on it")));
  close(*first);
  EXPECT_TRUE(std::filesystem::exists(path_));
  const absl::StatusOr<int> second = ListenOnUnixSocket(address_);
  ASSERT_TRUE(second.ok()) << second.status();
  close(*second);
}

TEST_F(UnixSocketTest, AServerThatIsTooBusyToAcceptLives) {
  const absl::StatusOr<int> first = ListenOnUnixSocket(address_);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(listen(*first, 0), 0);  // room for one
  EXPECT_THAT(Rejection(), HasSubstr("another server"));
  EXPECT_THAT(Rejection(), HasSubstr("another server"));
  EXPECT_THAT(Rejection(), HasSubstr("another server"));
  close(*first);
}

TEST_F(UnixSocketTest, WhatIsNoSocketStays) {
  std::ofstream(path_) << "text";
  EXPECT_THAT(Rejection(), HasSubstr("not a socket"));
  EXPECT_EQ(std::filesystem::file_size(path_), 4);
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("/nowhere", path_);
  EXPECT_THAT(Rejection(), HasSubstr("not a socket"));
}

TEST_F(UnixSocketTest, FoldersThatAreMissingOrNotWritableAreNamed) {
  address_ = "unix:" + folder_ + "/missing/a.sock";
  EXPECT_THAT(Rejection(), AllOf(HasSubstr(folder_ + "/missing"), HasSubstr("No such file")));
  address_ = "unix:/proc/a.sock";
  EXPECT_THAT(Rejection(), HasSubstr("cannot be made"));
}

TEST_F(UnixSocketTest, PermissionsFollowTheUmask) {
  const mode_t before = umask(0117);
  const absl::StatusOr<int> listening = ListenOnUnixSocket(address_);
  umask(before);
  ASSERT_TRUE(listening.ok()) << listening.status();
  struct stat found {};
  ASSERT_EQ(stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0660);
  close(*listening);
}

TEST_F(UnixSocketTest, NobodyElseTakesASocketInTheSameFolderMeanwhile) {
  const absl::Status status = TakeUnixSocket(address_, [this](const std::string& path) {
    EXPECT_EQ(path, path_);
    const int other = open(folder_.c_str(), O_RDONLY | O_DIRECTORY);
    EXPECT_NE(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
    return absl::CancelledError("listen");
  });
  EXPECT_EQ(status, absl::CancelledError("listen"));
  const int other = open(folder_.c_str(), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(flock(other, LOCK_EX | LOCK_NB), 0);
  close(other);
}

}  // namespace
}  // namespace hellocnn
