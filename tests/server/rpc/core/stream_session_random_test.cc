#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <random>
#include <vector>

#include "server/rpc/core/stream_session.h"

namespace hellocnn::server {
namespace {

using Steps = StreamSession::Steps;

// Plays the owner of a session and its whole environment: what can happen next is chosen at random,
// and steps are carried out late, as threads do that are interrupted.
class Environment {
 public:
  Environment(unsigned seed, StreamSession::Order order)
      : random_(seed), order_(order), session_(order), messages_(Pick(200)) {
    may_cancel_ = Pick(4) == 0;
    may_drain_ = Pick(4) == 0;
    const int first = session_.Open();
    reads_to_start_.push_back(first);
    StartOf(first);
  }

  // Until nothing can happen any more.
  void Run() {
    int events = 0;
    while (Step()) ASSERT_LT(++events, 100'000) << "it does not end";
    EXPECT_TRUE(finished_) << "nothing can happen, and it is not finished";
    EXPECT_EQ(read_, ended_) << "a request was lost";
    EXPECT_TRUE(session_.idle());
  }

 private:
  enum class State { kFree, kStarting, kReading, kRead, kComputing, kReady, kWriting };

  int Pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  std::optional<int> Find(State state) {
    std::vector<int> found;
    for (int slot = 0; slot < StreamSession::kMaxInFlight; ++slot) {
      if (slots_[static_cast<std::size_t>(slot)] == state) found.push_back(slot);
    }
    if (found.empty()) return std::nullopt;
    return found[static_cast<std::size_t>(Pick(static_cast<int>(found.size())))];
  }
  void StartOf(int slot) {
    ASSERT_EQ(slots_[static_cast<std::size_t>(slot)], State::kFree);
    slots_[static_cast<std::size_t>(slot)] = State::kStarting;
  }
  void End(int slot) {
    slots_[static_cast<std::size_t>(slot)] = State::kFree;
    ++ended_;
  }
  int Count(State state) const {
    return static_cast<int>(std::count(slots_.begin(), slots_.end(), state));
  }

  void Take(const Steps& steps) {
    steps.cancel.ForEach(
        [&](int slot) { EXPECT_EQ(slots_[static_cast<std::size_t>(slot)], State::kComputing); });
    steps.discard.ForEach([&](int slot) {
      EXPECT_EQ(slots_[static_cast<std::size_t>(slot)], State::kReady);
      std::erase(ready_, slot);
      std::erase(arrived_, slot);
      End(slot);
    });
    if (steps.read.has_value()) {
      EXPECT_FALSE(finished_);
      EXPECT_FALSE(gone_);
      EXPECT_EQ(Count(State::kReading), 0) << "two reads";
      reads_to_start_.push_back(*steps.read);
      StartOf(*steps.read);
    }
    if (steps.write.has_value()) {
      EXPECT_FALSE(finished_);
      EXPECT_EQ(Count(State::kWriting), 0) << "two writes";
      ASSERT_FALSE(ready_.empty());
      const bool as_ready = order_ == StreamSession::Order::kAsReady;
      EXPECT_EQ(*steps.write, as_ready ? ready_.front() : arrived_.front()) << "out of order";
      EXPECT_EQ(std::erase(ready_, *steps.write), 1) << "not ready";
      std::erase(arrived_, *steps.write);
      slots_[static_cast<std::size_t>(*steps.write)] = State::kWriting;
    }
    if (steps.finish.has_value()) {
      EXPECT_FALSE(finished_) << "finished twice";
      EXPECT_TRUE(reads_to_start_.empty());
      for (const State state : {State::kRead, State::kComputing, State::kReady, State::kWriting}) {
        EXPECT_EQ(Count(state), 0);
      }
      finished_ = true;
    }
  }

  // One thing that can happen. False: there is none.
  bool Step();
  bool Happen(int what);

  std::mt19937 random_;
  const StreamSession::Order order_;
  StreamSession session_;
  std::vector<State> slots_ = std::vector<State>(StreamSession::kMaxInFlight, State::kFree);
  std::vector<int> reads_to_start_;  // steps that are not carried out yet
  int unreported_reads_ = 0;         // started, and OnReadStarted is still to be called
  std::vector<int> ready_;
  std::vector<int> arrived_;  // and not written yet
  int messages_;              // that the client will still send
  bool may_cancel_ = false, may_drain_ = false;
  bool gone_ = false, finished_ = false;
  int read_ = 0, ended_ = 0;
};

bool Environment::Step() {
  constexpr int kKinds = 9;
  const int first = Pick(kKinds);
  for (int i = 0; i < kKinds; ++i) {
    if (Happen((first + i) % kKinds)) return true;
  }
  return false;
}

bool Environment::Happen(int what) {
  switch (what) {
    case 0: {  // a read starts
      if (reads_to_start_.empty()) return false;
      EXPECT_FALSE(finished_) << "a read after the finish";
      EXPECT_EQ(Count(State::kReading), 0) << "two reads";
      slots_[static_cast<std::size_t>(reads_to_start_.back())] = State::kReading;
      reads_to_start_.pop_back();
      ++unreported_reads_;
      return true;
    }
    case 1: {
      if (unreported_reads_ == 0) return false;
      --unreported_reads_;
      Take(session_.OnReadStarted());
      return true;
    }
    case 2: {  // a read ends
      const std::optional<int> slot = Find(State::kReading);
      if (!slot.has_value()) return false;
      // Messages that came before the client went may still be read.
      if (messages_ == 0 || (gone_ && Pick(2) == 0)) {
        slots_[static_cast<std::size_t>(*slot)] = State::kFree;
        Take(session_.OnReadEnded());
        return true;
      }
      --messages_;
      ++read_;
      const bool finished = finished_;
      const StreamSession::Message message = session_.OnRead();
      EXPECT_EQ(message.accepted, !finished);
      if (message.accepted) {
        slots_[static_cast<std::size_t>(*slot)] = State::kRead;
        arrived_.push_back(*slot);
      } else {
        End(*slot);
      }
      Take(message.steps);
      return true;
    }
    case 3: {  // a message is looked at
      const std::optional<int> slot = Find(State::kRead);
      if (!slot.has_value()) return false;
      if (Pick(50) == 0) {
        End(*slot);
        std::erase(arrived_, *slot);
        Take(session_.OnMalformed(*slot,
                                  Rejection::Invalid(absl::InvalidArgumentError("malformed"))));
        return true;
      }
      if (Pick(4) > 0 && session_.StartComputing(*slot) == StreamSession::MayCompute::kYes) {
        slots_[static_cast<std::size_t>(*slot)] = State::kComputing;
        return true;
      }
      slots_[static_cast<std::size_t>(*slot)] = State::kReady;
      ready_.push_back(*slot);
      Take(session_.OnReady(*slot));
      return true;
    }
    case 4: {
      const std::optional<int> slot = Find(State::kComputing);
      if (!slot.has_value()) return false;
      slots_[static_cast<std::size_t>(*slot)] = State::kReady;
      ready_.push_back(*slot);
      Take(session_.OnReady(*slot));
      return true;
    }
    case 5: {
      const std::optional<int> slot = Find(State::kWriting);
      if (!slot.has_value()) return false;
      const bool ok = !gone_ && (!may_cancel_ || Pick(20) > 0);
      End(*slot);
      gone_ |= !ok;
      Take(session_.OnWritten(ok));
      EXPECT_EQ(session_.gone(), gone_);
      return true;
    }
    case 6: {
      if (!may_cancel_ || Pick(50) > 0) return false;
      gone_ = true;
      Take(session_.OnCancelled());
      return true;
    }
    case 7: {
      if (!may_drain_ || Pick(50) > 0) return false;
      Take(session_.OnDrain());
      return true;
    }
    default:
      return false;
  }
}

TEST(StreamSessionRandomTest, KeepsItsRulesInEveryOrderOfEvents) {
  for (unsigned seed = 0; seed < 5000; ++seed) {
    SCOPED_TRACE(seed);
    Environment environment(
        seed, seed % 2 == 0 ? StreamSession::Order::kAsReady : StreamSession::Order::kOfRequests);
    environment.Run();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace hellocnn::server
