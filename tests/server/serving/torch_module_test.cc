#include "server/serving/torch_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/testing/files.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

// Loading `path` must fail with `code` and a message that has `path` and `what` in it.
void ExpectRefused(const std::string& path, absl::StatusCode code, const std::string& what) {
  const absl::Status status = LoadTorchModule(path).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(TorchModuleTest, AFileThatIsNotThereIsNotFound) {
  ExpectRefused("/nowhere/hellocnn-torch.so", absl::StatusCode::kNotFound, "--engine=simd");
}

TEST(TorchModuleTest, AFileThatIsNoLibraryIsRefused) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("hellocnn-torch.so", "hello\n");
  ExpectRefused(path, absl::StatusCode::kFailedPrecondition, "cannot be loaded");
}

TEST(TorchModuleTest, ALibraryOfSomethingElseIsRefused) {
  ExpectRefused(HELLOCNN_TEST_SOME_LIBRARY, absl::StatusCode::kFailedPrecondition, "no symbol");
}

TEST(TorchModuleTest, AModuleOfAnotherVersionIsRefused) {
  ExpectRefused(HELLOCNN_TEST_OLD_MODULE, absl::StatusCode::kFailedPrecondition,
                "version 0.0.1; wanted");
}

TEST(TorchModuleTest, TheModuleIsLookedForBesideTheProgram) {
  EXPECT_THAT(TorchModulePath(), ::testing::EndsWith("/lib/hellocnn/hellocnn-torch.so"));
  EXPECT_THAT(TorchModulePath(), ::testing::StartsWith("/"));
}

}  // namespace
}  // namespace hellocnn::server
