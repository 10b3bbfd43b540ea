#include "server/rpc/transport/http2/ended_streams.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using Verdict = EndedStreams::Verdict;

constexpr std::uint8_t kEnd = kEndStreamFlag;
constexpr int kRemembered = 8;

FrameHeader Frame(std::uint8_t type, std::int32_t stream, std::uint8_t flags = 0) {
  return {.type = type, .flags = flags, .stream = stream};
}

TEST(EndedStreams, LetsAStreamGoOnUntilItsEnd) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 1)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1, kEnd)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kCloseConnection);
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 1)), Verdict::kCloseConnection);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1, kEnd)), Verdict::kCloseConnection);
}

TEST(EndedStreams, HeadersEndAStreamToo) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 1, kEnd)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kCloseConnection);
}

TEST(EndedStreams, WhatFollowsAResetEndsTheStreamOnlyAndIsToldOnce) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 3)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kResetFrame, 3)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 3)), Verdict::kResetStream);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 3, kEnd)), Verdict::kIgnore);
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 3)), Verdict::kIgnore);
}

TEST(EndedStreams, AResetAfterTheEndForgivesNothing) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 1, kEnd)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kResetFrame, 1)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kCloseConnection);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kCloseConnection);
}

TEST(EndedStreams, OnlyHeadersAndDataAreOutOfPlace) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 1, kEnd)), Verdict::kFine);
  for (const int type : {2, 3, 8, 9, 200}) {  // PRIORITY, RST_STREAM, WINDOW_UPDATE, …
    EXPECT_EQ(streams.Take(Frame(static_cast<std::uint8_t>(type), 1)), Verdict::kFine) << type;
  }
}

TEST(EndedStreams, TheFlagOfOtherFramesMeansSomethingElse) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(4, 1, kEnd)), Verdict::kFine);  // SETTINGS with ACK
  EXPECT_EQ(streams.Take(Frame(6, 1, kEnd)), Verdict::kFine);  // PING with ACK
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kFine);
}

TEST(EndedStreams, RemembersTheLastFew) {
  EndedStreams streams;
  for (int i = 0; i < kRemembered; ++i) {
    EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 2 * i + 1, kEnd)), Verdict::kFine);
  }
  for (int i = 0; i < kRemembered; ++i) {
    EXPECT_EQ(streams.Take(Frame(kDataFrame, 2 * i + 1)), Verdict::kCloseConnection) << i;
  }
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 101, kEnd)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 3)), Verdict::kCloseConnection);
}

TEST(EndedStreams, AStreamThatIsResetAgainDoesNotPushOthersOut) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 1, kEnd)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 3, kEnd)), Verdict::kFine);
  for (int i = 0; i < 3 * kRemembered; ++i)
    EXPECT_EQ(streams.Take(Frame(kResetFrame, 3)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 1)), Verdict::kCloseConnection);
}

TEST(EndedStreams, StreamZeroIsLeftToNghttp2) {
  EndedStreams streams;
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 0)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kHeadersFrame, 0, kEnd)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kResetFrame, 0)), Verdict::kFine);
  EXPECT_EQ(streams.Take(Frame(kDataFrame, 0)), Verdict::kFine);
}

}  // namespace
}  // namespace hellocnn::server
