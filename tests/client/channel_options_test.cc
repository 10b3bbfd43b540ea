#include "client/channel_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hellocnn/client/client.h"

namespace hellocnn::client {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(ClientOptions, BadOnesAreRefusedByName) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<std::pair<const char*, ClientOptions>> bad = {
      {"target", {.target = ""}},
      {"default timeout", {.default_timeout = absl::ZeroDuration()}},
      {"connections is 0", {.connections = 0}},
      {"connections is 65", {.connections = 65}},
      {"keepalive_interval", {.keepalive_interval = absl::ZeroDuration()}},
      {"keepalive_timeout", {.keepalive_timeout = absl::InfiniteDuration()}},
      {"max_reconnect_backoff", {.max_reconnect_backoff = -absl::Seconds(1)}},
      {"retry.max_attempts is 6", {.retry = RetryOptions{.max_attempts = 6}}},
      {"retry.max_attempts is 0", {.retry = RetryOptions{.max_attempts = 0}}},
      {"retry.codes is empty", {.retry = RetryOptions{.codes = {}}}},
      {"retry.codes is 0", {.retry = RetryOptions{.codes = {absl::StatusCode::kOk}}}},
      {"retry.initial_backoff", {.retry = RetryOptions{.initial_backoff = absl::Nanoseconds(1)}}},
      {"retry.max_backoff", {.retry = RetryOptions{.max_backoff = absl::InfiniteDuration()}}},
      {"retry.backoff_multiplier", {.retry = RetryOptions{.backoff_multiplier = nan}}},
      {"retry.throttle_tokens is -1", {.retry = RetryOptions{.throttle_tokens = -1}}},
      {"retry.throttle_ratio is 0", {.retry = RetryOptions{.throttle_ratio = 0}}},
      {"hedge.after", {.connections = 2, .hedge = HedgeOptions{.after = absl::ZeroDuration()}}},
      {"hedge.max_attempts is 1", {.connections = 2, .hedge = HedgeOptions{.max_attempts = 1}}},
      {"hedge.max_share is 1.5", {.connections = 2, .hedge = HedgeOptions{.max_share = 1.5}}},
      {"hedge needs another connection", {.hedge = HedgeOptions()}},
  };
  for (const auto& [name, options] : bad) {
    const absl::Status status = Client::Create(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST(ClientOptions, LimitsAreInclusive) {
  EXPECT_TRUE(Client::Create({.connections = 64,
                              .retry = RetryOptions{.max_attempts = 5, .throttle_tokens = 0},
                              .hedge = HedgeOptions{.max_attempts = 5, .max_share = 1},
                              .keepalive_interval = absl::InfiniteDuration()})
                  .ok());
}

TEST(ServiceConfig, SaysNothingByDefault) {
  EXPECT_EQ(json::parse(ServiceConfig({})), json::object());
  EXPECT_EQ(json::parse(ServiceConfig({.retry = RetryOptions{.max_attempts = 1}})), json::object());
}

TEST(ServiceConfig, RoundRobinRetriesUnlessToldOtherwise) {
  const json config = json::parse(ServiceConfig({.round_robin = true}));
  EXPECT_EQ(config["loadBalancingConfig"][0]["round_robin"], json::object());
  EXPECT_EQ(config["healthCheckConfig"]["serviceName"], "");
  EXPECT_EQ(config["methodConfig"][0]["retryPolicy"]["maxAttempts"], 4);
  const json without =
      json::parse(ServiceConfig({.round_robin = true, .retry = RetryOptions{.max_attempts = 1}}));
  EXPECT_FALSE(without.contains("methodConfig"));
  EXPECT_FALSE(without.contains("retryThrottling"));
}

TEST(ServiceConfig, SaysWhatTheOptionsSay) {
  const json config = json::parse(
      ServiceConfig({.retry = RetryOptions{.max_attempts = 3,
                                           .codes = {absl::StatusCode::kUnavailable,
                                                     absl::StatusCode::kResourceExhausted},
                                           .initial_backoff = absl::Milliseconds(5),
                                           .max_backoff = absl::Milliseconds(61050),
                                           .backoff_multiplier = 1.5,
                                           .throttle_tokens = 20,
                                           .throttle_ratio = 0.25}}));
  EXPECT_EQ(config["methodConfig"][0]["retryPolicy"],
            json::parse(R"({"maxAttempts": 3, "initialBackoff": "0.005s", "maxBackoff": "61.050s",
                            "backoffMultiplier": 1.5,
                            "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]})"));
  EXPECT_EQ(config["retryThrottling"], json::parse(R"({"maxTokens": 20, "tokenRatio": 0.25})"));
  EXPECT_FALSE(config.contains("loadBalancingConfig"));
}

// Returns the value of an argument that is a number.
int NumberOf(const grpc::ChannelArguments& arguments, const std::string& key) {
  const grpc_channel_args all = arguments.c_channel_args();
  for (std::size_t i = 0; i < all.num_args; ++i) {
    if (all.args[i].key == key && all.args[i].type == GRPC_ARG_INTEGER)
      return all.args[i].value.integer;
  }
  ADD_FAILURE() << key << " is missing";
  return 0;
}

TEST(ChannelArguments, TheFirstReconnectComesAfterAboutATenthOfASecond) {
  std::set<int> backoffs;
  for (int i = 0; i < 100; ++i) {
    backoffs.insert(NumberOf(ChannelArguments({}), GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS));
  }
  EXPECT_GE(*backoffs.begin(), 80);
  EXPECT_LE(*backoffs.rbegin(), 120);
  EXPECT_GT(backoffs.size(), 5U);  // clients of one server do not all come at the same moment
  const grpc::ChannelArguments soon =
      ChannelArguments({.max_reconnect_backoff = absl::Milliseconds(7)});
  EXPECT_EQ(NumberOf(soon, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS), 7);
}

}  // namespace
}  // namespace hellocnn::client
