// A dispatcher with one model, whose fake engines a test can hold.
#ifndef HELLOCNN_TESTS_SERVER_SERVING_BATCH_DISPATCHER_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_SERVING_BATCH_DISPATCHER_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "server/runtime/event_queue.h"
#include "server/serving/batch_dispatcher.h"
#include "tests/server/scheduling/call.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"
#include "tests/testing/served_model.h"

namespace hellocnn::server {

class BatchDispatcherTest : public ::testing::Test {
 protected:
  void Start(int threads, const BatchQueue::Options& options) {
    auto model = testing::ServedModel::Start(threads, options, engines_.Factory(), &events_,
                                             {.events = &observer_});
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
  }
  // Submits a call that occupies the only worker until Release.
  void Occupy(Call& call) {
    engines_.Hold();
    ASSERT_TRUE(model_->Submit(call.job()).ok());
    engines_.WaitUntilHeld(1);
  }

  testing::FakeEngines engines_;
  testing::QuietEvents events_;
  testing::RecordingEvents observer_{/*accepts=*/false};
  std::unique_ptr<testing::ServedModel> model_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_SERVING_BATCH_DISPATCHER_FIXTURE_H_
