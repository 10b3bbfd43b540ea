#include "server/serving/model_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/error_details.h"
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
  EXPECT_EQ(registry.Find("digits", "1").status().code(), absl::StatusCode::kUnavailable);
}

TEST(ModelRegistryTest, FirstModelIsTheDefaultAndEachVersionIsFound) {
  ModelRegistry registry;
  const ServableHandle one = Named("digits", "1");
  const ServableHandle two = Named("digits", "2");
  ASSERT_TRUE(registry.Publish(one).ok());
  ASSERT_TRUE(registry.Publish(two).ok());
  ASSERT_TRUE(registry.Publish(Named("a", "7")).ok());
  EXPECT_EQ(registry.Default().value(), two);
  EXPECT_EQ(registry.Find("digits", "").value(), two);
  EXPECT_EQ(registry.Find("digits", "1").value(), one);
  EXPECT_EQ(registry.Find("", "1").value(), one);
  EXPECT_EQ(registry.Find("a", "").value()->version(), "7");
}

TEST(ModelRegistryTest, WhatIsMissingIsNamedWithWhatIsThere) {
  ModelRegistry registry;
  for (const char* version : {"9", "10"})
    ASSERT_TRUE(registry.Publish(Named("digits", version)).ok());
  ASSERT_TRUE(registry.Publish(Named("letters", "1")).ok());
  const absl::Status version = registry.Find("digits", "3").status();
  EXPECT_EQ(version.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(version.message(), "model digits, version 3 is not served; wanted version 9, 10");
  EXPECT_EQ(MissingModel(version), "digits/3");
  const absl::Status name = registry.Find("dogs\n", "").status();
  EXPECT_EQ(name.message(), "model dogs\\n is not served; wanted digits, letters");
  EXPECT_EQ(MissingModel(name), "dogs\\n");
  EXPECT_EQ(MissingModel(absl::NotFoundError("something else")), std::nullopt);
}

TEST(ModelRegistryTest, HighestVersionIsTheCurrentOneInWhateverOrderTheyCome) {
  ModelRegistry registry;
  for (const char* version : {"10", "9", "text", "2"}) {
    ASSERT_TRUE(registry.Publish(Named("digits", version)).ok());
    EXPECT_EQ(registry.Default().value()->version(), "10");
  }
  ASSERT_TRUE(registry.Withdraw("digits", "10").ok());
  EXPECT_EQ(registry.Default().value()->version(), "9");
}

TEST(ModelRegistryTest, DefaultThatIsChosenIsNoOther) {
  ModelRegistry registry("letters");
  ASSERT_TRUE(registry.Publish(Named("digits", "1")).ok());
  EXPECT_EQ(registry.Default().status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(registry.Publish(Named("letters", "1")).ok());
  EXPECT_EQ(registry.Default().value()->name(), "letters");
}

TEST(ModelRegistryTest, DefaultStaysWhenItsModelGoesSoThatNoOtherAnswers) {
  ModelRegistry registry;
  for (const char* name : {"b", "c", "a"}) ASSERT_TRUE(registry.Publish(Named(name, "1")).ok());
  EXPECT_EQ(registry.Default().value()->name(), "b");
  ASSERT_TRUE(registry.Withdraw("b", "1").ok());
  EXPECT_EQ(registry.Default().status().message(), "model b is not served; wanted a, c");
  ASSERT_TRUE(registry.Publish(Named("b", "2")).ok());
  EXPECT_EQ(registry.Default().value()->version(), "2");
}

TEST(ModelRegistryTest, DefaultCanBeSetUnlessItWasChosen) {
  ModelRegistry registry;
  ModelRegistry chosen("a");
  for (ModelRegistry* each : {&registry, &chosen}) {
    for (const char* name : {"a", "b"}) ASSERT_TRUE(each->Publish(Named(name, "1")).ok());
    each->SetDefault("b");
  }
  EXPECT_EQ(registry.Default().value()->name(), "b");
  EXPECT_EQ(chosen.Default().value()->name(), "a");
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
  ServableHandle request = registry.Find("digits", "1").value();
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
