#include "server/http/compression.h"

#include <gtest/gtest.h>

#include <string>

namespace hellocnn::server {
namespace {

using Result = Inflater::Result;

constexpr std::size_t kMost = 1 << 20;

std::string Text() {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += std::to_string(i * 7919 % 1000) + " ";
  return text;
}

TEST(CompressionTest, WhatWasCompressedInflatesInPartsOfAnySize) {
  const std::string compressed = Gzip(Text());
  EXPECT_LT(compressed.size(), Text().size() / 2);
  for (const std::size_t part : {std::size_t{1}, std::size_t{100}, compressed.size()}) {
    Inflater inflater;
    std::string text;
    for (std::size_t at = 0; at < compressed.size(); at += part) {
      EXPECT_FALSE(inflater.is_complete());
      ASSERT_EQ(inflater.Add(std::string_view(compressed).substr(at, part), kMost, &text),
                Result::kOk);
    }
    EXPECT_TRUE(inflater.is_complete());
    EXPECT_EQ(text, Text());
  }
}

TEST(CompressionTest, ABombIsNeverLargerThanWanted) {
  const std::string bomb = Gzip(std::string(std::size_t{100} << 20, '\0'));
  ASSERT_LT(bomb.size(), kMost);
  Inflater inflater;
  std::string text;
  EXPECT_EQ(inflater.Add(bomb, kMost, &text), Result::kTooLarge);
  EXPECT_LE(text.size(), kMost);
  Inflater exact;
  text.clear();
  EXPECT_EQ(exact.Add(Gzip(Text()), Text().size(), &text), Result::kOk);
  Inflater one_less;
  text.clear();
  EXPECT_EQ(one_less.Add(Gzip(Text()), Text().size() - 1, &text), Result::kTooLarge);
}

TEST(CompressionTest, DamageIsSeen) {
  std::string text;
  EXPECT_EQ(Inflater().Add("this is not compressed", kMost, &text), Result::kDamaged);
  EXPECT_EQ(Inflater().Add(Gzip(Text()) + "more", kMost, &text), Result::kDamaged);
  Inflater after_the_end;
  text.clear();
  ASSERT_EQ(after_the_end.Add(Gzip("a"), kMost, &text), Result::kOk);
  EXPECT_EQ(after_the_end.Add("more", kMost, &text), Result::kDamaged);
  Inflater cut_off;
  const std::string compressed = Gzip(Text());
  text.clear();
  EXPECT_EQ(cut_off.Add(compressed.substr(0, compressed.size() - 1), kMost, &text), Result::kOk);
  EXPECT_FALSE(cut_off.is_complete());
}

TEST(CompressionTest, GzipIsAcceptedUnlessItIsRefused) {
  for (const char* yes :
       {"gzip", "GZIP", "deflate, gzip", "br;q=1.0, gzip;q=0.5", "x-gzip", "gzip ; q=1"}) {
    EXPECT_TRUE(AcceptsGzip(yes)) << yes;
  }
  for (const char* no : {"", "identity", "br", "gzip;q=0", "gzip; q=0.000", "gzipped"}) {
    EXPECT_FALSE(AcceptsGzip(no)) << no;
  }
}

}  // namespace
}  // namespace hellocnn::server
