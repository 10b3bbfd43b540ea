#include "server/serving/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/testing/model_card.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

// A servable that answers nothing.
ServableHandle Named(const std::string& name, const std::string& version) {
  ModelCard card = testing::DigitsCard();
  card.name = name;
  card.version = version;
  return std::make_shared<Servable>(card, "fake", ModelId{}, nullptr, nullptr);
}

TEST(ModelRegistryTest, WithoutAModelThereIsNoDefault) {
  const ModelRegistry registry;
  EXPECT_EQ(registry.Default().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(registry.Find("digits", "1").status().code(), absl::StatusCode::kNotFound);
}

TEST(ModelRegistryTest, FirstModelIsTheDefaultAndEachVersionIsFound) {
  ModelRegistry registry;
  const ServableHandle one = Named("digits", "1");
  const ServableHandle two = Named("digits", "2");
  ASSERT_TRUE(registry.Publish(one).ok());
  ASSERT_TRUE(registry.Publish(two).ok());
  EXPECT_EQ(registry.Default().value(), one);
  EXPECT_EQ(registry.Find("digits", "2").value(), two);
  EXPECT_THAT(std::string(registry.Find("digits", "3").status().message()),
              HasSubstr("model digits, version 3 is not served"));
}

TEST(ModelRegistryTest, VersionThatIsServedCannotBePublishedAgain) {
  ModelRegistry registry;
  ASSERT_TRUE(registry.Publish(Named("digits", "1")).ok());
  EXPECT_EQ(registry.Publish(Named("digits", "1")).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(registry.Publish(Named("letters", "1")).ok());
}

TEST(ModelRegistryTest, WithdrawnVersionLivesAsLongAsItsLastHandle) {
  ModelRegistry registry;
  ASSERT_TRUE(registry.Publish(Named("digits", "1")).ok());
  ASSERT_TRUE(registry.Publish(Named("digits", "2")).ok());
  ServableHandle request = registry.Default().value();
  const std::weak_ptr<const Servable> watched = request;
  ASSERT_TRUE(registry.Withdraw("digits", "1").ok());
  EXPECT_EQ(registry.Default().value()->version(), "2");
  EXPECT_FALSE(watched.expired());
  request.reset();
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(registry.Withdraw("digits", "1").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(registry.Withdraw("digits", "2").ok());
  EXPECT_EQ(registry.Default().status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace hellocnn::server
