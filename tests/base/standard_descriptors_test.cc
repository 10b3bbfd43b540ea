#include "base/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "gtest/gtest.h"

namespace hellocnn {
namespace {

// Exits with 0 if descriptors that were closed are open, fail as closed ones do, and no file that
// is opened later gets their numbers.
void CheckInOwnProcess() {
  for (int descriptor = 0; descriptor <= 2; ++descriptor) close(descriptor);
  OpenStandardDescriptors();
  char byte = 0;
  if (read(0, &byte, 1) != -1 || errno != EBADF) std::_Exit(1);
  if (write(1, &byte, 1) != -1 || errno != EBADF) std::_Exit(2);
  if (write(2, &byte, 1) != -1 || errno != EBADF) std::_Exit(3);
  std::_Exit(open("/dev/null", O_RDONLY) > 2 ? 0 : 4);
}

TEST(StandardDescriptorsDeathTest, ClosedOnesAreOpenedAndStillFail) {
  EXPECT_EXIT(CheckInOwnProcess(), ::testing::ExitedWithCode(0), "");
}

TEST(StandardDescriptors, OpenOnesStayAsTheyAre) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int saved = dup(1);
  ASSERT_EQ(dup2(ends[1], 1), 1);
  OpenStandardDescriptors();
  EXPECT_EQ(write(1, "x", 1), 1);
  dup2(saved, 1);
  for (const int descriptor : {ends[0], ends[1], saved}) close(descriptor);
}

}  // namespace
}  // namespace hellocnn
