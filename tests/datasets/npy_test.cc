#include "datasets/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <utility>

#include "tests/datasets/numpy_files.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Returns a header of version 1 with this dictionary.
std::string NpyBytes(const std::string& dictionary, char version = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += version;
  bytes += '\0';
  const std::size_t size = dictionary.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(size >> (8 * i));
  return bytes + dictionary;
}

std::string HeaderError(const std::string& bytes) {
  const absl::StatusOr<NpyHeader> header = ParseNpyHeader("a.npy", bytes);
  EXPECT_EQ(header.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(header.status().message()), ::testing::StartsWith("a.npy: "));
  return std::string(header.status().message());
}

TEST(NpyTest, EveryVersionOfTheFormatIsRead) {
  for (const char* name : {"version1", "version2", "version3"}) {
    const absl::StatusOr<NpyArray> array =
        ReadNpy(NumpyFile("images/" + std::string(name) + ".npy"));
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_EQ(array->header.type(), "uint8");
    EXPECT_FALSE(array->header.fortran_order);
    EXPECT_THAT(array->header.shape, ElementsAre(5, 28, 28));
    EXPECT_EQ(array->Bits(29), 4U);  // row 1, column 1
  }
}

TEST(NpyTest, TypeOrderAndShapeAreThoseOfTheHeader) {
  const absl::StatusOr<NpyHeader> header = ParseNpyHeader(
      "a", NpyBytes("{\"shape\": (2L, 3), 'descr': '>i4','fortran_order' : True}   \n"));
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->type(), "int32");
  EXPECT_TRUE(header->big_endian);
  EXPECT_TRUE(header->fortran_order);
  EXPECT_THAT(header->shape, ElementsAre(2, 3));
  EXPECT_EQ(header->items(), 6U);
}

TEST(NpyTest, ObjectsAreNotReadAndTheErrorSaysHowToSaveThem) {
  const std::string error(ReadNpy(NumpyFile("wrong/objects.npy")).status().message());
  EXPECT_THAT(error, HasSubstr("a pickle, which could run anything and is not read"));
  EXPECT_THAT(error, HasSubstr("numpy.save(path, numpy.stack(list(array)).astype('uint8'))"));
}

TEST(NpyTest, OtherTypesAreNamed) {
  for (const auto& [name, type] : {std::pair<std::string, std::string>{"text", "<U1"},
                                   {"complex", "<c8"},
                                   {"structured", "[('a', '<i4'), ('b', '<f4')]"}}) {
    const absl::Status status = ReadNpy(NumpyFile("wrong/" + name + ".npy")).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("has the type "));
  }
  EXPECT_THAT(HeaderError(NpyBytes("{'descr': '<f2', 'fortran_order': False, 'shape': (1,)}")),
              HasSubstr("has the type <f2; wanted integers, such as uint8, float32 or float64"));
}

TEST(NpyTest, WhatIsNoSuchDictionaryIsNoHeader) {
  const std::string good = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }";
  ASSERT_TRUE(ParseNpyHeader("a", NpyBytes(good)).ok());
  for (const std::string wrong :
       {"", "{", "{}", "__import__('os').system('true')",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), } + {}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (3)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': [3]}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (3 4)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-3,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '|u1', 'fortran_order': 0, 'shape': (3,)}",
        "{'descr': '|u1', 'fortran_order': False}",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '|u1', 'more': 1, 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '|u1, 'fortran_order': False, 'shape': (3,)}",
        "{'descr': [[[, 'fortran_order': False, 'shape': (3,)}"}) {
    HeaderError(NpyBytes(wrong));
  }
}

TEST(NpyTest, OtherFilesAndVersionsAreNamed) {
  EXPECT_THAT(HeaderError(""), HasSubstr("is no array of NumPy: it begins with \"\""));
  EXPECT_THAT(HeaderError("\x89PNG\r\n\x1a\n...."), HasSubstr("is no array of NumPy"));
  EXPECT_THAT(HeaderError(NpyBytes("{}", 4)), HasSubstr("has version 4 of the format; wanted 1"));
  EXPECT_THAT(HeaderError(NpyBytes("{}").substr(0, 11)), HasSubstr("wanted a whole header"));
  EXPECT_THAT(HeaderError(NpyBytes(std::string(70000, ' '), 2)),
              HasSubstr("has a header of 70000 bytes"));
}

TEST(NpyTest, SizesAreBoundedBeforeMemoryIsTaken) {
  EXPECT_THAT(
      HeaderError(NpyBytes("{'descr': '<f8', 'fortran_order': False, 'shape': (134217729,)}")),
      HasSubstr("takes 1073741832 bytes; wanted at most 1073741824"));
  EXPECT_THAT(HeaderError(NpyBytes("{'descr': '<f8', 'fortran_order': False, 'shape': "
                                   "(4611686018427387904, 4611686018427387904)}")),
              HasSubstr("takes more than 2^64 bytes"));
  EXPECT_THAT(HeaderError(NpyBytes(
                  "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}")),
              HasSubstr("has 9 dimensions; wanted at most 8"));
}

TEST(NpyTest, ThereMustBeAsManyNumbersAsTheShapeWants) {
  const std::string bytes = NpyBytes("{'descr': '<i2', 'fortran_order': False, 'shape': (3,)}");
  EXPECT_TRUE(ParseNpy("a.npy", bytes + "aabbcc").ok());
  for (const std::string numbers : {"aabbc", "aabbccd"}) {
    EXPECT_EQ(ParseNpy("a.npy", bytes + numbers).status().message(),
              "a.npy: has " + std::to_string(numbers.size()) +
                  " bytes of numbers; its shape [3] of int16 wants 6");
  }
}

}  // namespace
}  // namespace hellocnn
