#include "server/rpc/core/guard.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <utility>

#include "base/error_details.h"
#include "server/rpc/core/unary_call.h"
#include "tests/server/rpc/core/call_fixture.h"
#include "tests/testing/files.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::FakeUnaryRpc;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GuardTest : public CallTest {
 protected:
  void SetUp() override {
    const std::string path = folder_.Write("access.json", R"({"principals": {
        "shop": {"certificate_names": "DNS:shop", "may": "classify", "images_per_day": 4},
        "other": {"certificate_names": "DNS:other", "may": "classify", "models": "letters"},
        "lister": {"certificate_names": "DNS:lister", "may": "introspect"}}})");
    access_ = std::move(AccessControl::Start(path, [](const absl::Status&) {})).value();
    services_ = Guarded(access_.get(), &context_.accounting,
                        {{.name = "test",
                          .unary = {{.name = "Method",
                                     .make_handler =
                                         [this](UnaryRpc* rpc) {
                                           return std::make_unique<UnaryCall<ClassifyCodec>>(
                                               &context_, method_, rpc);
                                         },
                                     .burst = 1,
                                     .right = Right::kClassify}},
                          .streams = {}}});
    rpc_.set_handler(services_[0].unary[0].make_handler(&rpc_));
    Serve(1);
  }
  absl::Status CallAs(const std::string& name, const std::vector<int>& pixels) {
    rpc_.set_certificate_names({"DNS:" + name});
    rpc_.Call(RequestOf<v1::ClassifyRequest>(pixels).SerializeAsString());
    absl::Status status = rpc_.WaitUntilOver().status;
    EXPECT_EQ(rpc_.principal(), nullptr) << "left for the next call";
    return status;
  }

  const TemporaryDirectory folder_;
  std::unique_ptr<AccessControl> access_;
  std::vector<Service> services_;
  FakeUnaryRpc rpc_;
};

TEST_F(GuardTest, EachCallOfAnObjectIsJudgedByItsOwnCaller) {
  const absl::Status nobody = CallAs("nobody", {1});
  EXPECT_EQ(nobody.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(ErrorReason(nobody), "unauthenticated");
  EXPECT_TRUE(CallAs("shop", {1}).ok());
  const absl::Status lister = CallAs("lister", {1});
  EXPECT_EQ(lister.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(lister.message()), HasSubstr("lister"));
  const absl::Status other = CallAs("other", {1});
  EXPECT_EQ(other.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(other.message()), HasSubstr("the model mnist"));
  EXPECT_TRUE(CallAs("shop", {1}).ok());
  EXPECT_THAT(metrics_.rejections(),
              ElementsAre("unauthenticated", "permission_denied", "permission_denied"));
}

TEST_F(GuardTest, WhatTheQueueRejectsCostsNothing) {
  const absl::Status full = CallAs("shop", {1, 2, 3, 4, 5, 6, 7});  // more than a request may have
  EXPECT_EQ(full.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(CallAs("shop", {1, 2, 3}).ok());
  EXPECT_TRUE(CallAs("shop", {1}).ok());
  const absl::Status spent = CallAs("shop", {1});
  EXPECT_EQ(spent.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(spent), "budget");
  EXPECT_THAT(metrics_.rejections(), ElementsAre("invalid", "budget"));
}

}  // namespace
}  // namespace hellocnn::server
