// The bytes of IDX files for tests.
#ifndef HELLOCNN_TESTS_HELLOCNN_DATA_IDX_BYTES_H_
#define HELLOCNN_TESTS_HELLOCNN_DATA_IDX_BYTES_H_

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/testing/files.h"

namespace hellocnn {

// Returns the header of a file of this shape; type 8 is uint8.
inline std::string Header(const std::vector<std::uint32_t>& shape, char type = 8) {
  std::string header{0, 0, type, static_cast<char>(shape.size())};
  for (const std::uint32_t extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8)
      header.push_back(static_cast<char>(extent >> shift));
  }
  return header;
}

// Returns the bytes, gzipped.
inline std::string Gzipped(const std::string& bytes) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/gz";
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return ReadFile(path);
}

}  // namespace hellocnn

#endif  // HELLOCNN_TESTS_HELLOCNN_DATA_IDX_BYTES_H_
