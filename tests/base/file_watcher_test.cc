#include "base/file_watcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/testing/files.h"

namespace hellocnn {
namespace {

TEST(FileWatcherTest, StampsChangeWithTheFileAndAreThereWithoutIt) {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/file";
  const FileStamps missing = StampsOf({path});
  EXPECT_FALSE(missing.empty());
  WriteFile(path, "one");
  const FileStamps first = StampsOf({path});
  EXPECT_NE(first, missing);
  EXPECT_EQ(StampsOf({path}), first);
  WriteFile(path, "other");
  EXPECT_NE(StampsOf({path}), first);
  EXPECT_EQ(StampsOf({path, path}).size(), 2 * first.size());
}

// The file has changed between the first reading and the watcher's first look.
TEST(FileWatcherTest, MissesNoChangeAndTriesAgainUntilItIsRead) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("file", "one");
  FileStamps read = StampsOf({path});
  WriteFile(path, "other");
  std::atomic<int> reloads{0};
  Notification done;
  const FileWatcher watcher([path] { return std::vector<std::string>{path}; }, std::move(read),
                            [&] {
                              const bool fails = ++reloads < 2;
                              if (!fails) done.Notify();
                              return fails;
                            });
  done.Wait();
  EXPECT_EQ(reloads, 2);
}

}  // namespace
}  // namespace hellocnn
