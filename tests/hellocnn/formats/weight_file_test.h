// What the tests of weight files share.
#ifndef TESTS_HELLOCNN_WEIGHT_FILE_TEST_H_
#define TESTS_HELLOCNN_WEIGHT_FILE_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"
#include "tests/testing/files.h"

namespace hellocnn {

// A file that make_pytorch_files.py wrote.
inline std::string PytorchFile(const std::string& name) {
  return std::string(HELLOCNN_PYTORCH_FILES) + "/" + name;
}

// All values in the order of WeightTensors(); none, and a failure, if the file cannot be loaded.
inline std::vector<float> LoadValues(const std::string& path) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(path);
  EXPECT_TRUE(weights.ok()) << weights.status();
  std::vector<float> values;
  if (!weights.ok()) return values;
  for (const TensorSpec& spec : WeightTensors(weights->classes())) {
    const auto tensor = (*weights)[spec.name];
    values.insert(values.end(), tensor.begin(), tensor.end());
  }
  return values;
}

// The message of the error that a file must give; it names the file.
inline std::string LoadError(const std::string& path) {
  const absl::Status status = LoadWeightFile(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(path));
  return std::string(status.message());
}

}  // namespace hellocnn

#endif  // TESTS_HELLOCNN_WEIGHT_FILE_TEST_H_
