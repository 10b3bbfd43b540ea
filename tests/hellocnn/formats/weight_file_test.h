// Helpers for the tests of weight files.
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

// Returns the path of a file that make_pytorch_files.py wrote.
inline std::string PytorchFile(const std::string& name) {
  return std::string(HELLOCNN_PYTORCH_FILES) + "/" + name;
}

// Returns all values in the order of WeightTensors(). If the file cannot be loaded, the test fails
// and the result is empty.
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

// Returns the message of the error for a file. Expects that there is an error that names the file.
inline std::string LoadError(const std::string& path) {
  const absl::Status status = LoadWeightFile(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr(path));
  return std::string(status.message());
}

}  // namespace hellocnn

#endif  // TESTS_HELLOCNN_WEIGHT_FILE_TEST_H_
