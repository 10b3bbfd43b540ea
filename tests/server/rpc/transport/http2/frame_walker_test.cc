#include "server/rpc/transport/http2/frame_walker.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kPreface = 24;
constexpr std::size_t kHeader = 9;

// Appends a frame with `length` bytes of content, or only its header.
void AppendHeader(std::size_t length, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  Bytes* to) {
  for (const std::size_t part : {length >> 16, length >> 8, length}) {
    to->push_back(static_cast<std::uint8_t>(part));
  }
  to->push_back(type);
  to->push_back(flags);
  for (const int shift : {24, 16, 8, 0}) to->push_back(static_cast<std::uint8_t>(stream >> shift));
}
void AppendFrame(std::size_t length, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                 Bytes* to) {
  AppendHeader(length, type, flags, stream, to);
  to->resize(to->size() + length, 0xEE);
}

// Walks over `bytes` in parts of `part` bytes. Returns the headers.
std::vector<FrameHeader> Walk(FrameWalker& walker, std::span<const std::uint8_t> bytes,
                              std::size_t part) {
  std::vector<FrameHeader> seen;
  while (!bytes.empty()) {
    const std::size_t count = std::min(part, bytes.size());
    walker.Walk(bytes.first(count), [&](const FrameHeader& frame) { seen.push_back(frame); });
    bytes = bytes.subspan(count);
  }
  return seen;
}

TEST(FrameWalker, SkipsThePreface) {
  FrameWalker walker;
  Bytes bytes(kPreface, 'P');
  EXPECT_TRUE(Walk(walker, bytes, bytes.size()).empty());
  EXPECT_FALSE(walker.in_frames());
  bytes.clear();
  AppendHeader(0, kHeadersFrame, kEndStreamFlag, 1, &bytes);
  const std::vector<FrameHeader> seen = Walk(walker, bytes, bytes.size());
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].type, kHeadersFrame);
  EXPECT_TRUE(walker.in_frames());
}

TEST(FrameWalker, ReadsEveryFieldToItsLargestValue) {
  FrameWalker walker;
  Bytes bytes(kPreface);
  AppendHeader(0xFFFFFF, 0xFE, 0xFF, 0x7FFFFFFF, &bytes);
  const std::vector<FrameHeader> seen = Walk(walker, bytes, bytes.size());
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].length, 0xFFFFFFU);
  EXPECT_EQ(seen[0].type, 0xFE);
  EXPECT_EQ(seen[0].flags, 0xFF);
  EXPECT_EQ(seen[0].stream, 0x7FFFFFFF);
  EXPECT_EQ(walker.left(), 0xFFFFFFU);
}

TEST(FrameWalker, IgnoresTheReservedBitOfTheStream) {
  FrameWalker walker;
  Bytes bytes(kPreface);
  AppendHeader(0, kDataFrame, 0, 0x80000005, &bytes);
  EXPECT_EQ(Walk(walker, bytes, bytes.size()).at(0).stream, 5);
}

TEST(FrameWalker, SeesTheSameWhereverTheBytesAreDivided) {
  Bytes bytes(kPreface);
  AppendFrame(0, 4, 0, 0, &bytes);
  AppendFrame(1, kHeadersFrame, 4, 1, &bytes);
  AppendFrame(300, kDataFrame, kEndStreamFlag, 1, &bytes);
  AppendFrame(4, kResetFrame, 0, 3, &bytes);
  for (std::size_t part = 1; part <= bytes.size(); ++part) {
    FrameWalker walker;
    const std::vector<FrameHeader> seen = Walk(walker, bytes, part);
    ASSERT_EQ(seen.size(), 4U) << part;
    EXPECT_EQ(seen[0].type, 4);
    EXPECT_EQ(seen[1].length, 1U);
    EXPECT_EQ(seen[2].length, 300U);
    EXPECT_EQ(seen[2].flags, kEndStreamFlag);
    EXPECT_EQ(seen[3].stream, 3);
    EXPECT_EQ(walker.left(), 0U) << part;
  }
}

TEST(FrameWalker, CountsWhatIsStillToCome) {
  FrameWalker walker;
  Bytes bytes(kPreface);
  AppendFrame(10, kDataFrame, 0, 1, &bytes);
  const auto nothing = [](const FrameHeader&) {};
  walker.Walk(std::span(bytes).first(kPreface + kHeader - 1), nothing);
  EXPECT_FALSE(walker.in_frames());
  walker.Walk(std::span(bytes).subspan(kPreface + kHeader - 1, 1), nothing);
  EXPECT_EQ(walker.left(), 10U);
  walker.Walk(std::span(bytes).subspan(kPreface + kHeader, 9), nothing);
  EXPECT_EQ(walker.left(), 1U);
  walker.Walk({}, nothing);
  EXPECT_EQ(walker.left(), 1U);
  walker.Walk(std::span(bytes).last(1), nothing);
  EXPECT_EQ(walker.left(), 0U);
  EXPECT_EQ(walker.frame().stream, 1);  // until the next header is complete
}

TEST(FrameWalker, StandsInAFrameOfAnyType) {
  for (const int type : {0, 10, 254, 255}) {
    FrameWalker walker;
    Bytes bytes(kPreface);
    AppendHeader(5, static_cast<std::uint8_t>(type), 0, 0, &bytes);
    EXPECT_EQ(Walk(walker, bytes, bytes.size()).size(), 1U);
    EXPECT_TRUE(walker.in_frames()) << type;
  }
}

}  // namespace
}  // namespace hellocnn::server
