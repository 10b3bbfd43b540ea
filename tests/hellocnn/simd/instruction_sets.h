// Runs tests on every instruction set that both the CPU and the build support.
#ifndef HELLOCNN_TESTS_SIMD_INSTRUCTION_SETS_H_
#define HELLOCNN_TESTS_SIMD_INSTRUCTION_SETS_H_

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <string>
#include <vector>

#include "hellocnn/simd/simd_engine.h"

namespace hellocnn::testing {

// Returns Highway's bit of each instruction set that SimdEngineFactory can choose on this machine.
inline std::vector<std::int64_t> InstructionSets() {
  std::vector<std::int64_t> sets;
  hwy::SetSupportedTargetsForTest(0);
  for (std::int64_t left = hwy::SupportedTargets(); left != 0; left &= left - 1) {
    const std::int64_t set = left & -left;
    hwy::SetSupportedTargetsForTest(set);
    if (SimdInstructionSet() == hwy::TargetName(set)) sets.push_back(set);
    hwy::SetSupportedTargetsForTest(0);
  }
  return sets;
}

// A fixture during whose lifetime factories choose the instruction set of the test's parameter.
class OnInstructionSet : public ::testing::TestWithParam<std::int64_t> {
 protected:
  OnInstructionSet() { hwy::SetSupportedTargetsForTest(GetParam()); }
  ~OnInstructionSet() override { hwy::SetSupportedTargetsForTest(0); }
};

inline std::string InstructionSetName(const ::testing::TestParamInfo<std::int64_t>& info) {
  return hwy::TargetName(info.param);
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_SIMD_INSTRUCTION_SETS_H_
