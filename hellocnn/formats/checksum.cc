#include "hellocnn/formats/checksum.h"

#include <openssl/evp.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"

namespace hellocnn {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

std::string HexOf(const unsigned char* digest, unsigned int length) {
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) absl::StrAppendFormat(&hex, "%02x", digest[i]);
  return hex;
}

}  // namespace

absl::StatusOr<std::string> Sha256OfFile(const std::string& path) {
  // Opens regular files only: a pipe would block, and a device might never end.
  if (const auto start = ReadFileStart(path, 1); !start.ok()) return start.status();
  std::ifstream file(path, std::ios::binary);
  const absl::Status failed =
      absl::InternalError(absl::StrCat(path, ": OpenSSL cannot checksum it"));
  const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return failed;
  }
  std::vector<char> chunk(std::size_t{1} << 16);
  while (file) {
    file.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    if (EVP_DigestUpdate(context.get(), chunk.data(), got) != 1) return failed;
  }
  if (!file.eof()) return FileError(EIO, path, "cannot be read");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context.get(), digest, &length) != 1) return failed;
  return HexOf(digest, length);
}

absl::StatusOr<std::string> Sha256Of(absl::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1) {
    return absl::InternalError("OpenSSL cannot checksum a text");
  }
  return HexOf(digest, length);
}

}  // namespace hellocnn
