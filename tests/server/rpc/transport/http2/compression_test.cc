#include "server/rpc/transport/http2/compression.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kMebibyte = std::size_t{1} << 20;

class CompressionTest : public ::testing::TestWithParam<Encoding> {
 protected:
  // Makes `message` hold `content`, in slabs of their own for every `part` bytes.
  void Fill(std::string_view content, Http2Message* message) {
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    ASSERT_TRUE(message->Append(bytes, bytes.size()));
  }
  static std::string Content(const Http2Message& message) {
    std::string content(message.size(), '\0');
    message.CopyTo(0, {reinterpret_cast<std::uint8_t*>(content.data()), content.size()});
    return content;
  }
  std::string Compressed(std::string_view content) {
    Http2Message from(account_);
    Http2Message to(account_);
    Fill(content, &from);
    EXPECT_TRUE(Deflate(GetParam(), &from, &to).ok());
    return Content(to);
  }
  // Inflates `bytes` into inflated_.
  absl::Status InflateTo(std::string_view bytes, std::size_t most) {
    Http2Message from(account_);
    Fill(bytes, &from);
    inflated_.Clear();
    return Inflate(GetParam(), &from, most, &inflated_);
  }

  MemoryBudget budget_{256 * kMebibyte, [] {}};
  const std::shared_ptr<MemoryAccount> account_ = std::make_shared<MemoryAccount>(&budget_);
  Http2Message inflated_{account_};
};

INSTANTIATE_TEST_SUITE_P(Encodings, CompressionTest,
                         ::testing::Values(Encoding::kGzip, Encoding::kDeflate),
                         [](const auto& tested) { return std::string(NameOf(tested.param)); });

// Bytes that cannot be made smaller.
std::string Noise(std::size_t size) {
  std::mt19937 random(1);
  std::string noise(size, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  return noise;
}

TEST_P(CompressionTest, InflatesWhatItCompressed) {
  for (const std::string& content :
       {std::string(), std::string("x"), std::string(8192, 'a'), Noise(8191), Noise(8192),
        Noise(65537), Noise(3 * kMebibyte)}) {
    ASSERT_TRUE(InflateTo(Compressed(content), 4 * kMebibyte).ok()) << content.size();
    EXPECT_EQ(Content(inflated_), content);
  }
}

TEST_P(CompressionTest, ReachesTheLimitAndNotOneByteMore) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{8192},
                                 std::size_t{65536}, std::size_t{100000}}) {
    const std::string bytes = Compressed(std::string(size, 'a'));
    EXPECT_TRUE(InflateTo(bytes, size).ok()) << size;
    EXPECT_EQ(inflated_.size(), size);
    if (size == 0) continue;
    const absl::Status more = InflateTo(bytes, size - 1);
    EXPECT_EQ(more.code(), absl::StatusCode::kResourceExhausted) << size;
    EXPECT_THAT(std::string(more.message()), HasSubstr("wanted at most"));
  }
}

TEST_P(CompressionTest, ABombCostsNoMoreThanTheLimit) {
  const std::string bomb = Compressed(std::string(64 * kMebibyte, '\0'));
  ASSERT_LT(bomb.size(), kMebibyte);
  EXPECT_EQ(InflateTo(bomb, kMebibyte).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LE(account_->used(), kMebibyte + 2 * MemoryBudget::kLargeSlab);
}

TEST_P(CompressionTest, RejectsEveryTruncation) {
  const std::string bytes = Compressed("a message that is not long");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const absl::Status status = InflateTo(bytes.substr(0, size), 1000);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << size;
    EXPECT_THAT(std::string(status.message()), HasSubstr("ends after"));
  }
}

TEST_P(CompressionTest, RejectsWhatFollowsTheEnd) {
  const std::string bytes = Compressed("message");
  for (const std::string& rest : {std::string("x"), bytes, std::string(100000, 'x')}) {
    const absl::Status status = InflateTo(bytes + rest, 1000);
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr("goes on after the end"));
  }
}

TEST_P(CompressionTest, RejectsOtherBytes) {
  const std::string bytes = Compressed("a message that is not long");
  std::string damaged = bytes;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);  // of the checksum or the length
  for (const std::string& other :
       {std::string("no compressed message"), damaged, std::string(bytes.size(), '\0')}) {
    EXPECT_EQ(InflateTo(other, 1000).code(), absl::StatusCode::kInternal);
  }
}

TEST_P(CompressionTest, RejectsTheOtherEncoding) {
  Http2Message from(account_);
  Http2Message to(account_);
  Fill("message", &from);
  const Encoding other = GetParam() == Encoding::kGzip ? Encoding::kDeflate : Encoding::kGzip;
  ASSERT_TRUE(Deflate(other, &from, &to).ok());
  EXPECT_EQ(InflateTo(Content(to), 1000).code(), absl::StatusCode::kInternal);
}

TEST_P(CompressionTest, SaysIfTheAccountHasNoMemory) {
  MemoryBudget poor(4 * MemoryBudget::kSmallSlab, [] {});
  const auto account = std::make_shared<MemoryAccount>(&poor);
  Http2Message to(account);
  Http2Message from(account_);
  Fill(Compressed(std::string(100000, 'a')), &from);
  EXPECT_EQ(Inflate(GetParam(), &from, 8192, &to).code(), absl::StatusCode::kResourceExhausted);
  to.Clear();
  EXPECT_EQ(account->used(), 0U);
  Http2Message large(account_);
  Fill(Noise(100000), &large);
  EXPECT_EQ(Deflate(GetParam(), &large, &to).code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace hellocnn::server
