#include "server/rpc/classifier_v1/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/testing/pieces.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::Pieces;
using ::testing::HasSubstr;

std::string Gray(std::size_t bytes = 1024) { return std::string(bytes, '\x07'); }

std::string Floats(int at = 0, float value = 0.5F) {
  std::string bytes(4096, '\0');
  std::memcpy(bytes.data() + at * sizeof value, &value, sizeof value);
  return bytes;
}

// Of a request that is read, with all that its views point to.
template <typename Message>
struct Read {
  explicit Read(const std::string& message, int max_images = 8,
                std::size_t piece = std::string::npos)
      : pieces(Pieces::CutEvery(message, piece)),
        request(ReadRequest<Message>({pieces.Stream(), pieces.size()}, max_images, &arena,
                                     &contents, &id)) {}
  explicit Read(const Message& message, int max_images = 8)
      : Read(message.SerializeAsString(), max_images) {}

  google::protobuf::Arena arena;
  Pieces pieces;
  std::uint64_t id = 0;
  std::vector<ImageContent> contents;
  absl::StatusOr<Request> request;
};
using ReadClassify = Read<v1::ClassifyRequest>;
using ReadStream = Read<v1::ClassifyStreamRequest>;

std::string PixelsOf(const ImageView& image) {
  return {reinterpret_cast<const char*>(image.pixels), BytesPerImage(image.format)};
}

void ExpectInvalid(const v1::ClassifyRequest& request, const std::string& message,
                   int max_images = 8) {
  const ReadClassify read(request, max_images);
  ASSERT_TRUE(read.request.ok()) << read.request.status();
  const absl::Status status = read.request->images.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), message);
}

TEST(ReadRequestTest, ViewsPointIntoTheBytes) {
  v1::ClassifyRequest request;
  request.add_images()->set_gray8(Gray());
  request.add_images()->set_float32(Floats());
  ReadClassify read(request, 2);
  ASSERT_TRUE(read.request.ok() && read.request->images.ok());
  const std::span<ImageView> images = *read.request->images;
  ASSERT_EQ(images.size(), 2U);
  EXPECT_EQ(images[0].format, PixelFormat::kGray8);
  EXPECT_EQ(PixelsOf(images[0]), Gray());
  EXPECT_EQ(images[1].format, PixelFormat::kFloat32);
  EXPECT_EQ(PixelsOf(images[1]), Floats());
  ASSERT_EQ(read.pieces.pieces().size(), 1U);
  const std::vector<char>& bytes = *read.pieces.pieces()[0];
  for (const ImageView& image : images) {
    EXPECT_GE(static_cast<const void*>(image.pixels), bytes.data());
    EXPECT_LT(static_cast<const void*>(image.pixels), bytes.data() + bytes.size());
  }
}

TEST(ReadRequestTest, ImagesInSeveralPiecesArePutTogether) {
  v1::ClassifyRequest request;
  for (int i = 0; i < 8; ++i) {
    request.add_images()->set_gray8(std::string(1024, static_cast<char>(i)));
  }
  const std::string bytes = request.SerializeAsString();
  for (const std::size_t piece : {1U, 7U, 1000U, 1024U, 1030U, 4000U}) {
    const ReadClassify read(bytes, 8, piece);
    ASSERT_TRUE(read.request.ok() && read.request->images.ok()) << piece;
    ASSERT_EQ(read.request->images->size(), 8U);
    for (int i = 0; i < 8; ++i) {
      EXPECT_EQ(PixelsOf((*read.request->images)[static_cast<std::size_t>(i)]),
                request.images(i).gray8());
    }
  }
}

TEST(ReadRequestTest, NoImageIsInvalid) { ExpectInvalid({}, "images has 0 images; wanted 1 to 8"); }

TEST(ReadRequestTest, TooManyImagesAreInvalid) {
  v1::ClassifyRequest request;
  for (int i = 0; i < 3; ++i) request.add_images()->set_gray8(Gray());
  EXPECT_TRUE(ReadClassify(request, 3).request->images.ok());
  ExpectInvalid(request, "images has 3 images; wanted 1 to 2", 2);
  for (int i = 0; i < 10'000; ++i) request.add_images();
  ExpectInvalid(request, "images has 10003 images; wanted 1 to 2", 2);
}

TEST(ReadRequestTest, UnsetPixelsAreInvalid) {
  v1::ClassifyRequest request;
  request.add_images()->set_gray8(Gray());
  request.add_images();
  ExpectInvalid(request, "images[1] has no pixels; wanted gray8, float32 or encoded");
}

TEST(ReadRequestTest, WrongSizesAreInvalid) {
  for (std::size_t bytes : {0U, 783U, 1023U, 1025U, 4096U}) {
    v1::ClassifyRequest request;
    for (int i = 0; i < 3; ++i) request.add_images()->set_gray8(Gray());
    request.add_images()->set_gray8(Gray(bytes));
    ExpectInvalid(request,
                  "images[3].gray8 has " + std::to_string(bytes) +
                      " bytes; wanted 1024 (32x32), or those of the image without its border");
  }
  for (std::size_t bytes : {0U, 788U, 4095U, 4097U}) {
    v1::ClassifyRequest request;
    request.add_images()->set_float32(std::string(bytes, '\0'));
    ExpectInvalid(request,
                  "images[0].float32 has " + std::to_string(bytes) +
                      " bytes; wanted 4096 (32x32 values of 4 bytes), or those of the image "
                      "without its border");
  }
}

TEST(ReadRequestTest, ValuesThatAreNotFiniteAreInvalid) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (int at : {0, 511, 1023}) {
    for (float value : {infinity, -infinity, std::nanf("")}) {
      v1::ClassifyRequest request;
      request.add_images()->set_float32(Floats(at, value));
      const ReadClassify read(request, 1);
      ASSERT_TRUE(read.request.ok());
      const absl::Status status = read.request->images.status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("images[0].float32 value " + std::to_string(at) + " is "));
    }
  }
}

TEST(ReadRequestTest, ExtremeFiniteValuesAreValid) {
  using Limits = std::numeric_limits<float>;
  for (float value : {Limits::max(), Limits::lowest(), Limits::denorm_min(), -0.0F}) {
    v1::ClassifyRequest request;
    request.add_images()->set_float32(Floats(9, value));
    EXPECT_TRUE(ReadClassify(request, 1).request->images.ok()) << value;
  }
}

TEST(ReadRequestTest, ImagesThatMustBeMadeAreListed) {
  v1::ClassifyRequest request;
  request.add_images()->set_gray8(Gray());
  request.add_images()->set_gray8(Gray(784));
  request.add_images()->set_float32(Floats().substr(0, 4 * 784));
  request.add_images()->set_encoded("not read here");
  request.add_images()->set_float32(Floats());
  for (const std::size_t piece : {std::string::npos, std::size_t{100}}) {
    const ReadClassify read(request.SerializeAsString(), 8, piece);
    ASSERT_TRUE(read.request->images.ok()) << read.request->images.status();
    EXPECT_EQ(read.request->images->size(), 5U);
    EXPECT_EQ(PixelsOf(read.request->images->front()), Gray());
    EXPECT_EQ(PixelsOf(read.request->images->back()), Floats());
    ASSERT_EQ(read.contents.size(), 3U);
    EXPECT_EQ(read.contents[0].index, 1);
    EXPECT_EQ(read.contents[0].kind, ImageContent::Kind::kGray8);
    EXPECT_EQ(read.contents[0].side, 28);
    EXPECT_EQ(read.contents[0].bytes, Gray(784));
    EXPECT_EQ(read.contents[1].kind, ImageContent::Kind::kFloat32);
    EXPECT_EQ(read.contents[1].side, 28);
    EXPECT_EQ(read.contents[1].bytes, Floats().substr(0, 4 * 784));
    EXPECT_EQ(read.contents[2].index, 3);
    EXPECT_EQ(read.contents[2].kind, ImageContent::Kind::kPicture);
    EXPECT_EQ(read.contents[2].bytes, "not read here");
  }
}

TEST(ReadRequestTest, SmallImagesFindRoomUpToTheLimit) {
  v1::ClassifyRequest request;
  for (int i = 0; i < 100; ++i) request.add_images()->set_encoded("x");
  const ReadClassify read(request, 100);
  ASSERT_TRUE(read.request->images.ok()) << read.request->images.status();
  EXPECT_EQ(read.request->images->size(), 100U);
  EXPECT_EQ(read.contents.size(), 100U);
  ExpectInvalid(request, "images has 100 images; wanted 1 to 99", 99);
}

TEST(ReadRequestTest, ValuesWithoutABorderMustBeFiniteToo) {
  v1::ClassifyRequest request;
  request.add_images()->set_float32(Floats(7, NAN).substr(0, 4 * 784));
  ExpectInvalid(request, "images[0].float32 value 7 is nan; wanted a finite number");
}

TEST(ReadRequestTest, LastPixelsOfAnImageCount) {
  v1::Image first;
  first.set_gray8(Gray(3));
  v1::Image second;
  second.set_float32(Floats());
  // Two messages after one another are one with the fields of both.
  const std::string both = first.SerializeAsString() + second.SerializeAsString();
  std::string bytes = "\x0A";
  for (std::size_t size = both.size(); size > 0; size >>= 7) {
    bytes += static_cast<char>((size & 0x7F) | (size > 0x7F ? 0x80 : 0));
  }
  const ReadClassify read(bytes + both);
  ASSERT_TRUE(read.request.ok() && read.request->images.ok());
  EXPECT_EQ(PixelsOf(read.request->images->front()), Floats());
}

TEST(ReadRequestTest, ClaimsThatAreLargerThanTheBytesAreNoRequest) {
  // The first is an image, the second the pixels in it, of 2 GiB - 1 bytes and of more.
  for (const std::string& bytes :
       {std::string("\x0A\xFF\xFF\xFF\xFF\x07"), std::string("\x0A\xFF\xFF\xFF\xFF\x7F"),
        std::string("\x0A\x06\x0A\xFF\xFF\xFF\xFF\x07"), std::string("\x0A\x03\x0A\x05")}) {
    const ReadClassify read(bytes);
    EXPECT_EQ(read.request.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(read.request.status().message(),
              "the request has " + std::to_string(bytes.size()) +
                  " bytes that are no hellocnn.v1.ClassifyRequest");
  }
}

TEST(ReadStreamRequestTest, IdAndTimeoutAreRead) {
  v1::ClassifyStreamRequest request;
  request.set_id(std::numeric_limits<std::uint64_t>::max());
  request.add_images()->set_gray8(Gray());
  request.mutable_timeout()->set_seconds(2);
  const ReadStream read(request);
  ASSERT_TRUE(read.request.ok());
  EXPECT_EQ(read.id, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(*read.request->timeout, absl::Seconds(2));
  EXPECT_EQ(read.request->images->size(), 1U);
}

TEST(ReadStreamRequestTest, IdIsKnownOfARequestWithoutImages) {
  v1::ClassifyStreamRequest request;
  request.set_id(7);
  const ReadStream read(request);
  ASSERT_TRUE(read.request.ok());
  EXPECT_EQ(read.id, 7U);
  EXPECT_FALSE(read.request->images.ok());
}

absl::StatusOr<absl::Duration> Timeout(std::int64_t seconds, std::int32_t nanos) {
  v1::ClassifyStreamRequest request;
  request.mutable_timeout()->set_seconds(seconds);
  request.mutable_timeout()->set_nanos(nanos);
  return ReadStream(request).request->timeout;
}

TEST(ReadRequestTest, PriorityIsNormalUnlessItIsLow) {
  const auto priority = [](int value) {
    v1::ClassifyRequest request;
    request.set_priority(static_cast<v1::Priority>(value));
    v1::ClassifyStreamRequest message;
    message.set_priority(static_cast<v1::Priority>(value));
    EXPECT_EQ(ReadClassify(request).request->priority, ReadStream(message).request->priority);
    return ReadClassify(request).request->priority;
  };
  EXPECT_EQ(priority(v1::PRIORITY_UNSPECIFIED), Priority::kNormal);
  EXPECT_EQ(priority(v1::PRIORITY_LOW), Priority::kLow);
  for (const int unknown : {2, 77, -1}) EXPECT_EQ(priority(unknown), Priority::kNormal);
}

TEST(ReadRequestTest, ModelAndVersionAreReadOrEmpty) {
  v1::ClassifyRequest request;
  const ReadClassify none(request);
  EXPECT_EQ(none.request->model, "");
  EXPECT_EQ(none.request->version, "");
  request.mutable_model()->set_name("digits");
  const ReadClassify name(request);
  EXPECT_EQ(name.request->model, "digits");
  EXPECT_EQ(name.request->version, "");
  v1::ClassifyStreamRequest message;
  message.mutable_model()->set_version("7");
  const ReadStream version(message);
  EXPECT_EQ(version.request->model, "");
  EXPECT_EQ(version.request->version, "7");
}

TEST(ReadRequestTest, PartsOfAModelThatCameApartAreOneAsInProtobuf) {
  v1::ClassifyRequest first;
  first.mutable_model()->set_name("digits");
  first.mutable_model()->set_version("1");
  v1::ClassifyRequest second;
  second.mutable_model()->set_version("2");
  const ReadClassify read(first.SerializeAsString() + second.SerializeAsString());
  EXPECT_EQ(read.request->model, "digits");
  EXPECT_EQ(read.request->version, "2");
}

TEST(ReadRequestTest, NameOfAModelThatIsNotUtf8IsNoRequestAsInProtobuf) {
  const std::string bytes("\x1A\x03\x0A\x01\xFF", 5);
  EXPECT_FALSE(v1::ClassifyRequest().ParseFromString(bytes));
  EXPECT_FALSE(ReadClassify(bytes).request.ok());
}

TEST(ReadStreamRequestTest, UnsetTimeoutIsInfinite) {
  EXPECT_EQ(*ReadStream(v1::ClassifyStreamRequest()).request->timeout, absl::InfiniteDuration());
}

TEST(ReadStreamRequestTest, PositiveTimeoutIsTaken) {
  EXPECT_EQ(*Timeout(1, 500'000'000), absl::Milliseconds(1500));
  EXPECT_EQ(*Timeout(0, 1), absl::Nanoseconds(1));
  EXPECT_EQ(*Timeout(315'576'000'000, 0), absl::Seconds(315'576'000'000));
}

TEST(ReadStreamRequestTest, ZeroNegativeAndMalformedTimeoutsAreInvalid) {
  const std::pair<std::int64_t, std::int32_t> bad[] = {
      {0, 0}, {-1, 0}, {0, -1}, {1, -1}, {-1, 1}, {1, 1'000'000'000}, {315'576'000'001, 0}};
  for (const auto& [seconds, nanos] : bad) {
    EXPECT_EQ(Timeout(seconds, nanos).status().code(), absl::StatusCode::kInvalidArgument)
        << seconds << " s, " << nanos << " ns";
  }
  EXPECT_THAT(std::string(Timeout(-1, 7).status().message()),
              HasSubstr("timeout is -1 s and 7 ns"));
}

// Requests at random, and then damaged at random, in pieces of a random size: whether they are
// requests, and what they say, is as protobuf's parser has it.
template <typename Message>
class AgreementTest : public ::testing::Test {
 protected:
  static constexpr int kMaxImages = 5;

  int Below(int bound) { return std::uniform_int_distribution(0, bound - 1)(random_); }

  Message RandomMessage() {
    Message message;
    for (int i = Below(kMaxImages + 2); i > 0; --i) {
      v1::Image* const image = message.add_images();
      const int kind = Below(20);
      if (kind < 10) image->set_gray8(std::string(1024, static_cast<char>(Below(256))));
      if (kind >= 10 && kind < 18) image->set_float32(Floats(Below(1024), Below(100)));
      if (kind == 18) image->set_gray8(Gray(static_cast<std::size_t>(Below(2000))));
      if (kind == 19 && Below(2) == 0) image->set_encoded(Gray(static_cast<std::size_t>(Below(9))));
    }
    if (Below(3) == 0) message.set_priority(static_cast<v1::Priority>(Below(4) - 1));
    if (Below(3) == 0) message.mutable_model()->set_name(std::string(Below(200), 'm'));
    if (Below(3) == 0) message.mutable_model()->set_version(std::to_string(Below(9)));
    if constexpr (std::is_same_v<Message, v1::ClassifyStreamRequest>) {
      if (Below(2) == 0) message.set_id(random_());
      if (Below(3) == 0) message.mutable_timeout()->set_seconds(Below(5) - 1);
      if (Below(3) == 0) message.mutable_timeout()->set_nanos(Below(5) - 1);
    }
    return message;
  }

  // Fields that no message here has, also groups.
  std::string UnknownField() {
    if (Below(8) == 0) {
      // About as many groups within each other as there may be.
      const auto depth = static_cast<std::size_t>(98 + Below(5));
      return std::string(depth, '\x23') + std::string(depth, '\x24');
    }
    const std::string fields[] = {{"\x20\x96\x01", 3},
                                  {"\x21\1\2\3\4\5\6\7\xFF", 9},
                                  {"\x22\x03"
                                   "abc",
                                   5},
                                  {"\x23\x20\x01\x24", 4},
                                  {"\x25\1\2\3\4", 5},
                                  {"\x23", 1},
                                  {"\x24", 1},
                                  {"\x08\x01", 2},
                                  {"\x15\1\2\3\4", 5},
                                  {"\x00\x00", 2},
                                  {"\x8A\x00\x00", 3},
                                  {"\x0A\x00", 2},
                                  {"\x12\x80\x00", 3},
                                  {"\x1A\x02\x08\x7F", 4},
                                  {"\x22\xFF\xFF\xFF\xFF\x0F", 6}};
    return fields[Below(std::ssize(fields))];
  }

  // Bytes at the start of the message or of an image in it decide most, so these are hit more.
  std::size_t Place(const std::string& bytes) {
    const int size = static_cast<int>(bytes.size()) + 1;
    return static_cast<std::size_t>(Below(2) == 0 ? Below(std::min(size, 12)) : Below(size));
  }

  std::string Damaged(std::string bytes) {
    for (int times = Below(4); times > 0; --times) {
      const std::size_t at = Place(bytes);
      switch (Below(4)) {
        case 0:
          if (at < bytes.size()) bytes[at] = static_cast<char>(Below(256));
          break;
        case 1:
          bytes.resize(at);
          break;
        case 2:
          bytes.insert(at, UnknownField());
          break;
        default:
          bytes += UnknownField();
      }
    }
    return bytes;
  }

  std::mt19937_64 random_{20'261'128};
};

bool IsSquare(std::size_t values) {
  for (std::size_t side = 1; side <= 32; ++side) {
    if (side * side == values) return true;
  }
  return false;
}

bool HasRightPixels(const v1::Image& image) {
  switch (image.pixels_case()) {
    case v1::Image::kGray8:
      return IsSquare(image.gray8().size());
    case v1::Image::kFloat32: {
      if (image.float32().size() % 4 != 0 || !IsSquare(image.float32().size() / 4)) return false;
      for (std::size_t i = 0; i < image.float32().size() / 4; ++i) {
        float value;
        std::memcpy(&value, image.float32().data() + i * sizeof value, sizeof value);
        if (!std::isfinite(value)) return false;
      }
      return true;
    }
    case v1::Image::kEncoded:
      return true;
    default:
      return false;
  }
}

std::string WantedPixels(const v1::Image& image) {
  if (image.has_encoded()) return image.encoded();
  return image.has_gray8() ? image.gray8() : image.float32();
}

using Messages = ::testing::Types<v1::ClassifyRequest, v1::ClassifyStreamRequest>;
TYPED_TEST_SUITE(AgreementTest, Messages);

TYPED_TEST(AgreementTest, WithProtobufsParser) {
  int requests = 0;
  int answerable = 0;
  constexpr int kRounds = 20'000;
  for (int round = 0; round < kRounds; ++round) {
    const std::string bytes = this->Damaged(this->RandomMessage().SerializeAsString());
    TypeParam wanted;
    const bool is_request = wanted.ParseFromString(bytes);
    const Read<TypeParam> read(bytes, this->kMaxImages,
                               static_cast<std::size_t>(1 + this->Below(3000)));
    ASSERT_EQ(read.request.ok(), is_request) << round;
    if (!is_request) continue;
    ++requests;
    ASSERT_EQ(read.request->priority == Priority::kLow, wanted.priority() == v1::PRIORITY_LOW)
        << round;
    ASSERT_EQ(read.request->model, wanted.model().name()) << round;
    ASSERT_EQ(read.request->version, wanted.model().version()) << round;
    const auto& images = read.request->images;
    const bool right = wanted.images_size() >= 1 && wanted.images_size() <= this->kMaxImages &&
                       std::all_of(wanted.images().begin(), wanted.images().end(), HasRightPixels);
    ASSERT_EQ(images.ok(), right) << round << ", " << images.status();
    if (right) {
      ++answerable;
      ASSERT_EQ(static_cast<int>(images->size()), wanted.images_size());
      for (int i = 0; i < wanted.images_size(); ++i) {
        const auto content = std::find_if(read.contents.begin(), read.contents.end(),
                                          [i](const ImageContent& one) { return one.index == i; });
        ASSERT_EQ(content == read.contents.end() ? PixelsOf((*images)[static_cast<std::size_t>(i)])
                                                 : content->bytes,
                  WantedPixels(wanted.images(i)));
      }
    }
    if constexpr (std::is_same_v<TypeParam, v1::ClassifyStreamRequest>) {
      ASSERT_EQ(read.id, wanted.id());
      const google::protobuf::Duration& timeout = wanted.timeout();
      constexpr std::int64_t kTenThousandYears = 315'576'000'000;
      const bool valid = !wanted.has_timeout() ||
                         (timeout.seconds() >= 0 && timeout.seconds() <= kTenThousandYears &&
                          timeout.nanos() >= 0 && timeout.nanos() < 1'000'000'000 &&
                          (timeout.seconds() > 0 || timeout.nanos() > 0));
      ASSERT_EQ(read.request->timeout.ok(), valid) << round << ", " << timeout.DebugString();
      if (valid) {
        ASSERT_EQ(*read.request->timeout,
                  wanted.has_timeout()
                      ? absl::Seconds(timeout.seconds()) + absl::Nanoseconds(timeout.nanos())
                      : absl::InfiniteDuration());
      }
    }
  }
  // Of each kind there were many.
  EXPECT_GT(requests, kRounds / 4);
  EXPECT_LT(requests, kRounds * 3 / 4);
  EXPECT_GT(answerable, kRounds / 10);
}

}  // namespace
}  // namespace hellocnn::server
