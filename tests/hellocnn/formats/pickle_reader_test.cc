#include "hellocnn/formats/pytorch/pickle_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;
using testing::AllOf;
using testing::HasSubstr;
using namespace std::string_literals;

Pickle Read(const std::string& bytes) {
  absl::StatusOr<Pickle> pickle = ReadPickle("x.pkl", bytes);
  EXPECT_TRUE(pickle.ok()) << pickle.status();
  return pickle.ok() ? *std::move(pickle) : *ReadPickle("none", "N.");
}

std::string ErrorOf(const std::string& bytes) {
  const absl::Status status = ReadPickle("x.pkl", bytes).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("x.pkl"));
  return std::string(status.message());
}

TEST(PickleReaderTest, ScalarsAreRead) {
  EXPECT_EQ(Read("\x80\x02N."s).root().kind, Kind::kNone);
  EXPECT_EQ(Read("\x88."s).root().integer, 1);
  EXPECT_EQ(Read("\x89."s).root().kind, Kind::kBool);
  EXPECT_EQ(Read("K\xff."s).root().integer, 255);
  EXPECT_EQ(Read("M\x01\x02."s).root().integer, 0x201);
  EXPECT_EQ(Read("J\xfe\xff\xff\xff."s).root().integer, -2);
  EXPECT_EQ(Read("\x8a\x00."s).root().integer, 0);
  EXPECT_EQ(Read("\x8a\x01\x80."s).root().integer, -128);
  EXPECT_EQ(Read("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f."s).root().integer, INT64_MAX);
  EXPECT_EQ(Read("G\x3f\xf8\x00\x00\x00\x00\x00\x00."s).root().real, 1.5);
}

TEST(PickleReaderTest, StringsAreRead) {
  EXPECT_EQ(Read("X\x03\x00\x00\x00"
                 "abc."s)
                .root()
                .text,
            "abc");
  EXPECT_EQ(Read("\x8c\x03"
                 "abc."s)
                .root()
                .text,
            "abc");
  EXPECT_EQ(Read("\x8d\x03\x00\x00\x00\x00\x00\x00\x00"
                 "abc."s)
                .root()
                .text,
            "abc");
  EXPECT_EQ(Read("C\x02\x00\xff."s).root().text, "\x00\xff"s);
}

TEST(PickleReaderTest, ContainersAreRead) {
  EXPECT_EQ(Read(")."s).root().items.size(), 0U);
  const Pickle tuple = Read("K\x01K\x02K\x03\x87."s);
  ASSERT_EQ(tuple.root().items.size(), 3U);
  EXPECT_EQ(tuple.root().items[0]->integer, 1);
  EXPECT_EQ(tuple.root().items[2]->integer, 3);
  const Pickle marked = Read("(K\x01(K\x02tt."s);
  ASSERT_EQ(marked.root().items.size(), 2U);
  EXPECT_EQ(marked.root().items[1]->items[0]->integer, 2);
  const Pickle list = Read(
      "](K\x01K\x02"
      "eK\x03"
      "a."s);
  EXPECT_EQ(list.root().kind, Kind::kList);
  EXPECT_EQ(list.root().items.size(), 3U);
  const Pickle dict = Read("}(K\x01NK\x02\x88uK\x01\x89s."s);
  ASSERT_EQ(dict.root().entries.size(), 3U);
  EXPECT_EQ(dict.root().entries[2].first->integer, 1);
  EXPECT_EQ(dict.root().entries[2].second->kind, Kind::kBool);
}

TEST(PickleReaderTest, MemoGivesTheSameValue) {
  const Pickle pickle = Read("]q\x07h\x07\x86."s);
  EXPECT_EQ(pickle.root().items[0], pickle.root().items[1]);
  const Pickle protocol4 = Read("\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00]\x94h\x00\x86."s);
  EXPECT_EQ(protocol4.root().items[0], protocol4.root().items[1]);
  const Pickle distant = Read("]r\xff\xff\xff\xffj\xff\xff\xff\xff\x86."s);
  EXPECT_EQ(distant.root().items[0], distant.root().items[1]);
}

TEST(PickleReaderTest, CallsAndObjectsStayWhatTheyAre) {
  const Pickle call = Read("ccollections\nOrderedDict\n)R(K\x01K\x02u}b."s);
  EXPECT_TRUE(call.root().Is(Kind::kCall, "collections.OrderedDict"));
  EXPECT_EQ(call.root().entries.size(), 1U);
  EXPECT_EQ(call.root().state->kind, Kind::kDict);
  const Pickle object = Read("c__main__\nNet\n)\x81}b."s);
  EXPECT_TRUE(object.root().Is(Kind::kObject, "__main__.Net"));
  EXPECT_EQ(Describe(object.root()), "an object of class __main__.Net");
  const Pickle id = Read("K\x05Q."s);
  EXPECT_EQ(id.root().kind, Kind::kPersistentId);
  EXPECT_EQ(id.root().arguments->integer, 5);
  const Pickle symbol = Read(
      "\x8c\x01"
      "a\x8c\x01"
      "b\x93."s);
  EXPECT_EQ(symbol.root().text, "a.b");
}

TEST(PickleReaderTest, MaliciousCallIsOnlyData) {
  const std::string marker = testing::TempDir() + "/hellocnn_pickle_marker";
  std::filesystem::remove(marker);
  const std::string command = "touch " + marker;
  const Pickle pickle = Read("cos\nsystem\n(X" + std::string(1, static_cast<char>(command.size())) +
                             "\0\0\0"s + command + "tR.");
  EXPECT_TRUE(pickle.root().Is(Kind::kCall, "os.system"));
  EXPECT_EQ(pickle.root().arguments->items[0]->text, command);
  EXPECT_FALSE(std::filesystem::exists(marker));
}

TEST(PickleReaderTest, OpcodesOfOtherFilesAreRefusedWithTheirPlace) {
  EXPECT_THAT(ErrorOf("cos\nsystem\n(S'echo'\ntR."s),
              AllOf(HasSubstr("0x53"), HasSubstr("byte 12")));
  EXPECT_THAT(ErrorOf("\x80\x02\xff."s), AllOf(HasSubstr("0xff"), HasSubstr("byte 2")));
  EXPECT_THAT(ErrorOf("(cos\nsystem\no."s), HasSubstr("0x6f"));
  EXPECT_THAT(ErrorOf("(ios\nsystem\n."s), HasSubstr("0x69"));
  EXPECT_THAT(ErrorOf("\x82\x01."s), HasSubstr("0x82"));
  EXPECT_THAT(ErrorOf("\x80\x09N."s), HasSubstr("protocol 9"));
}

TEST(PickleReaderTest, EveryOpcodeOnAnEmptyStackIsHarmless) {
  for (int opcode = 0; opcode < 256; ++opcode) {
    const std::string byte(1, static_cast<char>(opcode));
    for (const std::string& before : {""s, "("s, "N"s, "(N"s, "NN"s, "]"s, "}"s, "N("s}) {
      for (const std::string& after : {""s, "."s, "\0\0\0\0\0\0\0\0."s, "\n\n."s}) {
        ReadPickle("x.pkl", before + byte + after).IgnoreError();
      }
    }
  }
}

TEST(PickleReaderTest, StackUnderflowIsAnError) {
  EXPECT_THAT(ErrorOf("."s), HasSubstr("underflow"));
  EXPECT_THAT(ErrorOf("t."s), HasSubstr("mark"));
  EXPECT_THAT(ErrorOf("K\x01(\x85."s), HasSubstr("underflow"));
  EXPECT_THAT(ErrorOf("NN."s), HasSubstr("left on the stack"));
  EXPECT_THAT(ErrorOf("N.N"s), HasSubstr("after the end"));
  EXPECT_THAT(ErrorOf("h\x03."s), HasSubstr("memo has no entry 3"));
}

TEST(PickleReaderTest, WrongOperandsAreErrors) {
  EXPECT_THAT(ErrorOf(")K\x01"
                      "a."s),
              HasSubstr("wanted a list"));
  EXPECT_THAT(ErrorOf("]K\x01K\x02s."s), HasSubstr("wanted a dict"));
  EXPECT_THAT(ErrorOf("}(K\x01u."s), HasSubstr("key without a value"));
  EXPECT_THAT(ErrorOf("N)R."s), HasSubstr("wanted a symbol"));
  EXPECT_THAT(ErrorOf("ca\nb\nNR."s), HasSubstr("wanted a symbol and a tuple"));
  EXPECT_THAT(ErrorOf("]}b."s), HasSubstr("wanted an object"));
  EXPECT_THAT(ErrorOf("NN\x93."s), HasSubstr("wanted two strings"));
  EXPECT_THAT(ErrorOf("\x8a\x09"
                      "123456789."s),
              HasSubstr("9 bytes"));
}

TEST(PickleReaderTest, ClaimedLengthsAreNotBelieved) {
  EXPECT_THAT(ErrorOf("X\xff\xff\xff\xff"
                      "abc."s),
              HasSubstr("truncated"));
  EXPECT_THAT(ErrorOf("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                      "abc."s),
              HasSubstr("truncated"));
  EXPECT_THAT(ErrorOf("c" + std::string(2000, 'a') + "\nb\n."), HasSubstr("at most 1024"));
}

TEST(PickleReaderTest, CyclesAreReadAndFreed) {
  const Pickle list = Read(
      "]q\x00h\x00"
      "a."s);
  EXPECT_EQ(list.root().items[0], &list.root());
  EXPECT_EQ(Describe(list.root()), "a list of 1");
  const Pickle object = Read(
      "ca\nb\n)\x81q\x00h\x00"
      "b."s);
  EXPECT_EQ(object.root().state, &object.root());
}

TEST(PickleReaderTest, DeepNestingNeedsNoStack) {
  EXPECT_EQ(Read("N" + std::string(200'000, '\x85') + ".").root().items.size(), 1U);
  EXPECT_EQ(Read("N" + std::string(100'000, '\x85') + "0N.").root().kind, Kind::kNone);
}

TEST(PickleReaderTest, BombsAreRefused) {
  EXPECT_THAT(ErrorOf("N" + std::string(1'000'000, '\x85') + "."), HasSubstr("values"));
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '(')), HasSubstr("nested too deep"));
  EXPECT_THAT(ErrorOf(std::string(1'000'000, ']')), HasSubstr("values"));
  EXPECT_THAT(ErrorOf(std::string(1'000'000, '(') + std::string(1'000'000, 't') + "."),
              HasSubstr("nested too deep"));
  // Each step would double the size of a full copy, but here it adds only one value.
  std::string doubling = "]";
  for (int i = 0; i < 1000; ++i) doubling += "q\x00h\x00\x86"s;
  EXPECT_EQ(Read(doubling + ".").root().items.size(), 2U);
}

TEST(PickleReaderTest, TruncationAnywhereIsAnError) {
  const std::string bytes =
      "\x80\x02"
      "ccollections\nOrderedDict\nq\x00)Rq\x01(X\x01\x00\x00\x00wctorch._utils\n"
      "_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00storagectorch\nFloatStorage\n\x8c\x01"
      "0X\x03"
      "\x00\x00\x00"
      "cpuK\x06tQK\x00K\x06\x85M\x01\x00\x85\x89h\x00)RtRr\x03\x00\x00\x00J\x01\x00"
      "\x00\x00G\x3f\xf0\x00\x00\x00\x00\x00\x00]\x8a\x01\x01"
      "a\x86u}b."s;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ReadPickle("x.pkl", bytes.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace hellocnn
