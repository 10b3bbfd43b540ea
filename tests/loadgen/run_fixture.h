// Runs whole measurements of a server in this process. They take some time, but a busy machine
// cannot break their assertions: the server waits for what happens in the measurement, and so knows
// how long it has waited at least.
#ifndef HELLOCNN_TESTS_LOADGEN_RUN_FIXTURE_H_
#define HELLOCNN_TESTS_LOADGEN_RUN_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "loadgen/protocols/classify_protocol.h"
#include "loadgen/run/connect.h"
#include "loadgen/run/run.h"
#include "tests/client/fake_server.h"

namespace hellocnn::load {

using client::FakeServer;

class RunTest : public testing::Test {
 protected:
  RunTest() {
    plan_.limits.warm_up = Nanos(0);
    // The fake server classifies a blank image as class 0.
    for (int label : {0, 0, 5}) {
      images_.images.push_back(client::Uniform(0));
      images_.labels.push_back(label);
    }
  }

  ~RunTest() override {
    if (!over_.HasBeenNotified()) over_.Notify();
  }

  Outcome Measure(bool streaming = false, int connections = 2, Observer* observer = nullptr) {
    const auto protocol = ClassifyProtocol(images_, {streaming, 1, plan_.timeout});
    const Channels channels =
        Connect({.target = server_.target()}, connections, std::chrono::seconds(10), stop_).value();
    std::vector<Observer*> observers;
    if (observer != nullptr) observers.push_back(observer);
    return load::Measure(plan_, *protocol, channels, observers, stop_);
  }

  // Lets the server call `before` with the number of each unary call, from 1, and then respond.
  void BeforeEachResponse(std::function<void(int)> before) {
    server_.classify = [this, before](grpc::ServerContext&, const v1::ClassifyRequest& request,
                                      v1::ClassifyResponse& response) {
      before(++calls_);
      response = FakeServer::Answer(request.images());
      return grpc::Status::OK;
    };
  }

  Notification over_;  // for handlers that block until the test ends
  std::atomic<int> calls_ = 0;
  FakeServer server_;
  Images images_;
  Plan plan_;
  std::atomic<bool> stop_ = false;
};

// Counts the views of a run. These are at least kInterval apart.
class Views : public Observer {
 public:
  void See(const View&) override {
    const MutexLock lock(&mutex_);
    ++count_;
    changed_.SignalAll();
  }

  // Blocks until `count` more views have been seen: at least `count` - 1 intervals.
  void Wait(int count) {
    const MutexLock lock(&mutex_);
    for (const int wanted = count_ + count; count_ < wanted;) changed_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

inline std::int64_t Above(const Histogram& histogram, Nanos limit) {
  std::int64_t count = 0;
  for (const Histogram::Slot& slot : histogram.Slots()) {
    if (slot.lowest > limit.count()) count += slot.count;
  }
  return count;
}

}  // namespace hellocnn::load

#endif  // HELLOCNN_TESTS_LOADGEN_RUN_FIXTURE_H_
