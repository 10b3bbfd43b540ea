#include "base/patient_write.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace hellocnn {
namespace {

class PatientWriteTest : public ::testing::Test {
 protected:
  PatientWriteTest() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(pipe(ends_), 0);
  }
  ~PatientWriteTest() override {
    CloseReader();
    close(ends_[1]);
  }

  void CloseReader() {
    if (ends_[0] >= 0) close(ends_[0]);
    ends_[0] = -1;
  }
  // Returns how many lines the pipe took.
  int Fill() {
    int lines = 0;
    while (WriteLine(ends_[1], line_, absl::ZeroDuration()) == Written::kAll) ++lines;
    return lines;
  }
  std::string Read(std::size_t size) {
    std::string text(size, '\0');
    const ssize_t got = read(ends_[0], text.data(), text.size());
    text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return text;
  }

  int ends_[2];
  const std::string line_ = std::string(kLongestLine, '\n');
};

TEST_F(PatientWriteTest, ALineArrivesWhole) {
  EXPECT_EQ(WriteLine(ends_[1], line_, absl::ZeroDuration()), Written::kAll);
  EXPECT_EQ(Read(2 * kLongestLine), line_);
}

TEST_F(PatientWriteTest, AFullPipeIsGivenUp) {
  EXPECT_GT(Fill(), 0);
  EXPECT_EQ(WriteLine(ends_[1], line_, absl::Milliseconds(1)), Written::kNotYet);
  EXPECT_EQ(WriteLine(ends_[1], "short\n", absl::ZeroDuration()), Written::kNotYet);
}

TEST_F(PatientWriteTest, AReaderThatGoesOnGetsTheLine) {
  const int lines = Fill();
  std::thread reader([&] {
    for (int i = 0; i < lines; ++i) EXPECT_EQ(Read(line_.size()), line_);
  });
  EXPECT_EQ(WriteLine(ends_[1], "last\n", absl::InfiniteDuration()), Written::kAll);
  reader.join();
  EXPECT_EQ(Read(100), "last\n");
}

TEST_F(PatientWriteTest, WithoutAReaderItIsHopeless) {
  CloseReader();
  EXPECT_EQ(WriteLine(ends_[1], line_, absl::InfiniteDuration()), Written::kNever);
}

TEST_F(PatientWriteTest, ADescriptorThatIsNotOneIsHopeless) {
  EXPECT_EQ(WriteLine(-1, line_, absl::ZeroDuration()), Written::kNotYet);
  EXPECT_EQ(WriteLine(ends_[0], line_, absl::ZeroDuration()), Written::kNotYet);
  const int full = open("/dev/full", O_WRONLY);
  EXPECT_EQ(WriteLine(full, line_, absl::ZeroDuration()), Written::kNever);
  close(full);
}

TEST_F(PatientWriteTest, ASocketThatDoesNotBlockIsWaitedForToo) {
  int sockets[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
  while (WriteLine(sockets[0], line_, absl::ZeroDuration()) == Written::kAll) {
  }
  EXPECT_EQ(WriteLine(sockets[0], line_, absl::Milliseconds(1)), Written::kNotYet);
  close(sockets[1]);
  EXPECT_EQ(WriteLine(sockets[0], line_, absl::InfiniteDuration()), Written::kNever);
  close(sockets[0]);
}

}  // namespace
}  // namespace hellocnn
