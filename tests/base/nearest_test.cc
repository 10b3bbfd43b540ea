#include "base/nearest.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace hellocnn {
namespace {

TEST(NearestTest, FindsWhatWasMistyped) {
  const std::vector<std::string> names = {"classify", "describe", "health", "load", "tune"};
  EXPECT_EQ(Nearest("clasify", names), "classify");
  EXPECT_EQ(Nearest("classfiy", names), "classify");
  EXPECT_EQ(Nearest("helth", names), "health");
  EXPECT_EQ(Nearest("laod", names), "load");
  EXPECT_EQ(Nearest("tnue", names), "tune");
  EXPECT_EQ(Nearest("load", names), "load");
}

TEST(NearestTest, SaysNothingIfNothingIsNear) {
  EXPECT_EQ(Nearest("bake", {"load", "tune"}), "");
  EXPECT_EQ(Nearest("", {"load"}), "");
  EXPECT_EQ(Nearest("ab", {"a", "b"}), "");
  EXPECT_EQ(Nearest(std::string(100'000, 'x'), {std::string(64, 'x')}), "");
  EXPECT_EQ(Nearest("load", {}), "");
}

TEST(NearestTest, CapitalsAreLikeSmallLetters) {
  EXPECT_EQ(Nearest("INFO", {"debug", "info"}), "info");
  EXPECT_EQ(Nearest("hellocnn_treads", {"HELLOCNN_THREADS"}), "HELLOCNN_THREADS");
}

TEST(NearestTest, SwappedNeighboursAreOneEdit) {
  EXPECT_EQ(Nearest("abc", {"acb"}), "acb");
  EXPECT_EQ(Nearest("abc", {"cab"}), "");
}

}  // namespace
}  // namespace hellocnn
