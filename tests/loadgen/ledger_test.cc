#include "loadgen/core/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

Sample DoneAt(Nanos done) { return {done - milliseconds(1), done - milliseconds(1), done, false}; }

Verdict Error(int code, const std::string& message) {
  Verdict verdict;
  verdict.code = code;
  verdict.message = message;
  return verdict;
}

TEST(Tally, RefusalsDoNotFlatterTheLatency) {
  Tally tally;
  tally.Record(DoneAt(milliseconds(10)), Verdict());
  tally.Record({Nanos(0), Nanos(0), Nanos(5), false}, Error(grpc::RESOURCE_EXHAUSTED, "full"));
  EXPECT_EQ(tally.requests(), 2);
  EXPECT_EQ(tally.answered(), 1);
  EXPECT_EQ(tally.failed(), 1);
  EXPECT_EQ(tally.latency.count(), 1);
  EXPECT_EQ(tally.latency.min(), Nanos(milliseconds(1)).count());
}

TEST(Tally, KeepsTheFirstDifferentMessages) {
  Tally tally;
  for (const char* message : {"a", "a", "b", "a", "c", "d"}) {
    tally.Record(DoneAt(milliseconds(1)), Error(grpc::INTERNAL, message));
  }
  EXPECT_EQ(tally.by_code[grpc::INTERNAL], 6);
  EXPECT_THAT(tally.messages[grpc::INTERNAL], ElementsAre("a", "b", "c"));
  Tally sum;
  sum.Record(DoneAt(milliseconds(1)), Error(grpc::INTERNAL, "z"));
  sum.Add(tally);
  EXPECT_THAT(sum.messages[grpc::INTERNAL], ElementsAre("z", "a", "b"));
  EXPECT_EQ(sum.by_code[grpc::INTERNAL], 7);
}

TEST(Tally, CodesThatAreNotGrpcsAreUnknown) {
  Tally tally;
  tally.Record(DoneAt(milliseconds(1)), Error(99, "odd"));
  tally.Record(DoneAt(milliseconds(1)), Error(-1, "odder"));
  EXPECT_EQ(tally.by_code[grpc::UNKNOWN], 2);
}

TEST(Tally, NetworkIsWhatTheServerDoesNotAccountFor) {
  Tally tally;
  Verdict verdict;
  verdict.queue = milliseconds(2);
  verdict.compute = milliseconds(3);
  verdict.batch_size = 4;
  tally.Record({Nanos(0), milliseconds(1), milliseconds(10), false}, verdict);
  EXPECT_EQ(tally.network.max(), Nanos(milliseconds(4)).count());
  EXPECT_EQ(tally.batch_sizes, 4);
}

TEST(Tally, HeldBackIsNotLate) {
  Tally tally;
  tally.Record({Nanos(0), milliseconds(50), milliseconds(60), true}, Verdict());
  tally.Record({Nanos(0), milliseconds(50), milliseconds(60), false}, Verdict());
  EXPECT_EQ(tally.held, 1);
  EXPECT_EQ(tally.late, 1);
}

TEST(Ledger, HandsOverAnIntervalWhenTheNextBegins) {
  Ledger ledger(milliseconds(100), milliseconds(100));
  ledger.Record(DoneAt(milliseconds(50)), false, Verdict());
  ledger.Record(DoneAt(milliseconds(99)), false, Verdict());
  EXPECT_TRUE(ledger.Collect().empty());
  ledger.Record(DoneAt(milliseconds(100)), false, Verdict());  // was sent in the warm-up
  ledger.Record(DoneAt(milliseconds(120)), true, Verdict());
  auto pages = ledger.Collect();
  ASSERT_EQ(pages.size(), 1U);
  EXPECT_EQ(pages[0]->interval, -1);
  EXPECT_EQ(pages[0]->warm_up.requests(), 2);
  ledger.Recycle(std::move(pages));
  ledger.Advance(milliseconds(420));
  ledger.Record(DoneAt(milliseconds(430)), true, Verdict());
  ledger.Finish();
  pages = ledger.Collect();
  ASSERT_EQ(pages.size(), 2U);
  EXPECT_EQ(pages[0]->interval, 0);
  EXPECT_EQ(pages[0]->warm_up.requests(), 1);
  EXPECT_EQ(pages[0]->measured.requests(), 1);
  EXPECT_EQ(pages[1]->interval, 3);
  EXPECT_EQ(pages[1]->measured.requests(), 1);
  EXPECT_EQ(pages[1]->warm_up.requests(), 0);
}

}  // namespace
}  // namespace hellocnn::load
