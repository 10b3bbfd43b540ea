// Folders with versions of the shipped model, for tests.
#ifndef HELLOCNN_TESTS_TESTING_MODEL_FOLDERS_H_
#define HELLOCNN_TESTS_TESTING_MODEL_FOLDERS_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace hellocnn::testing {

// A folder that is empty at first and is removed with everything in it.
class ModelFolders {
 public:
  ModelFolders()
      : root_(std::filesystem::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_);
  }
  ~ModelFolders() { std::filesystem::remove_all(root_); }

  std::string Path(const std::string& name = "") const {
    return name.empty() ? root_.string() : (root_ / name).string();
  }

  // Copies the shipped model to `name`, in the way that is told to people: under a name that is no
  // version, which is changed when all is there.
  void Add(const std::string& name) const {
    const std::filesystem::path target = root_ / name;
    const std::filesystem::path part = target.parent_path() / ".part";
    std::filesystem::create_directories(target.parent_path());
    std::filesystem::copy(std::string(HELLOCNN_SOURCE_DIR) + "/models/mnist/1", part);
    std::filesystem::rename(part, target);
  }
  void Remove(const std::string& name) const { std::filesystem::remove_all(root_ / name); }
  void Write(const std::string& name, const std::string& content) const {
    std::ofstream(root_ / name) << content;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(root_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // Its weights are cut off.
  void AddBroken(const std::string& name) const {
    Add(name);
    std::filesystem::resize_file(root_ / name / "weights.pt", 1000);
  }

 private:
  const std::filesystem::path root_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_MODEL_FOLDERS_H_
