// Tests that every short sequence of operations on a stream ends, whatever the server does
// meanwhile.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

// The operations of one thread on one stream, one letter each:
//   s  sends one image      m  sends three requests     r  reads a response
//   c  closes sending       f  finishes                 x  cancels
constexpr char kOperations[] = "smrcfx";

// Ends a sequence that would otherwise hang forever, and shows that it hung: no sequence needs this
// long.
constexpr absl::Duration kHung = absl::Seconds(20);

// Returns all sequences of at most `length` operations.
std::vector<std::string> Sequences(std::size_t length) {
  std::vector<std::string> sequences = {""};
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    if (sequences[i].size() == length) continue;
    for (const char operation : std::string(kOperations)) {
      sequences.push_back(absl::StrCat(sequences[i], std::string(1, operation)));
    }
  }
  return sequences;
}

// Runs operations on a stream that only this thread uses.
class Runner {
 public:
  explicit Runner(const Client& client) : stream_(client.OpenStream({.timeout = kHung}).value()) {}

  void Run(char operation) {
    switch (operation) {
      case 's':
        Send();
        break;
      case 'm':
        for (int i = 0; i < 3; ++i) Send();
        break;
      case 'r':
        // While the stream is open, Read may block for a response to a request from another thread.
        if (unread_ == 0 && !ended_) break;
        if (stream_.Read().has_value()) {
          --unread_;
        } else {
          ended_ = true;
        }
        break;
      case 'c':
        stream_.CloseSending();
        ended_ = true;
        break;
      case 'f':
        (void)Finish();
        break;
      default:
        stream_.Cancel();
        cancelled_ = true;
        ended_ = true;
    }
  }

  absl::Status Finish() {
    const absl::Status status = stream_.Finish();
    EXPECT_FALSE(absl::IsDeadlineExceeded(status)) << "it hung: " << status;
    EXPECT_EQ(stream_.Finish(), status);
    unread_ = 0;
    ended_ = true;
    return status;
  }
  bool cancelled() const { return cancelled_; }

 private:
  void Send() {
    const absl::Status sent = stream_.Send(1, {Uniform(5)});
    EXPECT_TRUE(sent.ok() || ended_ || absl::IsCancelled(sent)) << sent;
    if (sent.ok()) ++unread_;
  }

  ClassifyStream stream_;
  int unread_ = 0;
  bool ended_ = false;  // no response will arrive that unread_ does not count
  bool cancelled_ = false;
};

TEST(StreamOrder, EverySequenceEndsWithAServer) {
  const FakeServer server;
  const Client client = server.Connect(absl::Seconds(10));
  for (const std::string& sequence : Sequences(4)) {
    SCOPED_TRACE(sequence);
    Runner dropped(client);
    for (const char operation : sequence) dropped.Run(operation);
    Runner finished(client);
    for (const char operation : sequence) finished.Run(operation);
    const absl::Status status = finished.Finish();
    EXPECT_TRUE(status.ok() || (finished.cancelled() && absl::IsCancelled(status))) << status;
    if (HasFailure()) return;
  }
}

TEST(StreamOrder, EverySequenceEndsWithoutAServer) {
  FakeServer server;
  server.Stop();
  const Client client = server.Connect(absl::Seconds(10));
  for (const std::string& sequence : Sequences(4)) {
    SCOPED_TRACE(sequence);
    Runner dropped(client);
    for (const char operation : sequence) dropped.Run(operation);
    Runner finished(client);
    for (const char operation : sequence) finished.Run(operation);
    const absl::Status status = finished.Finish();
    EXPECT_TRUE(absl::IsUnavailable(status) || (finished.cancelled() && absl::IsCancelled(status)))
        << status;
    if (HasFailure()) return;
  }
}

TEST(StreamOrder, EverySequenceEndsWhenTheServerGoesAway) {
  for (const std::string& sequence : Sequences(3)) {
    for (std::size_t stop = 0; stop <= sequence.size(); ++stop) {
      SCOPED_TRACE(absl::StrCat(sequence, ", the server stops before operation ", stop));
      FakeServer server;
      Runner runner(server.Connect(absl::Seconds(10)));
      for (std::size_t i = 0; i < sequence.size(); ++i) {
        if (i == stop) server.Stop();
        runner.Run(sequence[i]);
      }
      if (stop == sequence.size()) server.Stop();
      (void)runner.Finish();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace hellocnn::client
