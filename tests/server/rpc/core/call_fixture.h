// Calls on a transport without gRPC, so that ThreadSanitizer can watch them, with real workers and
// fake engines.
#ifndef HELLOCNN_TESTS_SERVER_RPC_CORE_CALL_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_RPC_CORE_CALL_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/classifier_v1/codec.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/core/call_scope.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_registry.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/fake_transport.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"
#include "tests/testing/served_model.h"

namespace hellocnn::server {

class CallTest : public ::testing::Test {
 protected:
  static constexpr int kCapacity = 8;

  ~CallTest() override {
    engines_.Release();
    if (served_ != nullptr) served_->Drain();
  }

  void Serve(int threads) {
    served_ = testing::ServedModel::Start(threads, {.max_batch_size = 4, .capacity = kCapacity},
                                          engines_.Factory(), &worker_events_,
                                          {.events = &metrics_, .model = model_})
                  .value();
    ASSERT_TRUE(registry_.Publish(served_->registry().Default().value()).ok());
    ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  }

  template <typename Proto>
  static Proto RequestOf(const std::vector<int>& pixels) {
    Proto request;
    for (const int pixel : pixels) {
      request.add_images()->set_gray8(std::string(1024, static_cast<char>(pixel)));
    }
    return request;
  }

  Lifecycle lifecycle_;
  testing::FakeEngines engines_;
  testing::QuietEvents worker_events_;
  testing::RecordingEvents metrics_;
  const ModelId model_ = metrics_.AddModel({.name = "digits", .version = "1"});
  const ServedMethod method_{metrics_.AddMethod({.service = "test", .method = "Method"}), "Method"};
  ModelRegistry registry_;
  Admission admission_{&lifecycle_, Clock::Monotonic()};
  const CallContext context_{Accounting(&metrics_, Clock::Monotonic()), &admission_, &registry_, 6};
  std::unique_ptr<testing::ServedModel> served_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_RPC_CORE_CALL_FIXTURE_H_
