#include "server/http/compression.h"

#include <algorithm>
#include <array>
#include <new>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

namespace hellocnn::server {
namespace {

constexpr int kWindowBits = 15;
constexpr int kOrGzip = 32;  // for inflateInit2: zlib or gzip
constexpr int kAsGzip = 16;  // for deflateInit2
constexpr int kMemoryLevel = 8;
constexpr int kFast = 1;

}  // namespace

Inflater::Inflater() {
  if (inflateInit2(&stream_, kWindowBits + kOrGzip) != Z_OK) throw std::bad_alloc();
}

Inflater::~Inflater() { inflateEnd(&stream_); }

Inflater::Result Inflater::Add(std::string_view part, std::size_t most_bytes, std::string* to) {
  if (is_complete_ && !part.empty()) return Result::kDamaged;
  stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
  stream_.avail_in = static_cast<uInt>(part.size());
  std::array<char, 16384> buffer;
  // What is left in the window is taken, too.
  do {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) return Result::kDamaged;
    const std::size_t size = buffer.size() - stream_.avail_out;
    if (size > most_bytes - std::min(most_bytes, to->size())) return Result::kTooLarge;
    to->append(buffer.data(), size);
    if (result == Z_STREAM_END) {
      is_complete_ = true;
      return stream_.avail_in == 0 ? Result::kOk : Result::kDamaged;
    }
  } while (stream_.avail_out == 0 || stream_.avail_in > 0);
  return Result::kOk;
}

std::string Gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, kFast, Z_DEFLATED, kWindowBits + kAsGzip, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return "";
  }
  std::string compressed(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  const int result = deflate(&stream, Z_FINISH);
  compressed.resize(result == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return compressed;
}

// A quality of 0 is a refusal. Whether something else is wanted more does not matter.
bool AcceptsGzip(std::string_view accept_encoding) {
  const absl::string_view value(accept_encoding.data(), accept_encoding.size());
  for (const absl::string_view one : absl::StrSplit(value, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(one, ';');
    const absl::string_view name = absl::StripAsciiWhitespace(parts[0]);
    if (!absl::EqualsIgnoreCase(name, "gzip") && !absl::EqualsIgnoreCase(name, "x-gzip")) continue;
    if (parts.size() == 1) return true;
    const absl::string_view quality = absl::StripAsciiWhitespace(parts[1]);
    return quality != "q=0" && quality != "q=0.0" && quality != "q=0.00" && quality != "q=0.000";
  }
  return false;
}

}  // namespace hellocnn::server
