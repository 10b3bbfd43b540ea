// Compressed bodies of HTTP, by zlib.
#ifndef HELLOCNN_SERVER_HTTP_COMPRESSION_H_
#define HELLOCNN_SERVER_HTTP_COMPRESSION_H_

#include <zlib.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace hellocnn::server {

// Inflates a body that comes in parts, in the formats gzip and zlib, which HTTP calls deflate.
// Thread-compatible.
class Inflater {
 public:
  Inflater();
  ~Inflater();
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  enum class Result { kOk, kDamaged, kTooLarge };
  // Appends what `part` holds to `to`. kTooLarge: `to` would have more than `most_bytes`; it never
  // has, however small the part is. After another result than kOk it must not be called again.
  Result Add(std::string_view part, std::size_t most_bytes, std::string* to);
  // Returns whether the compressed body was complete.
  bool is_complete() const { return is_complete_; }

 private:
  z_stream stream_{};
  bool is_complete_ = false;
};

// Returns the text in the format gzip, or "" if there is no memory. Thread-safe.
std::string Gzip(std::string_view text);

// Returns whether the value of an Accept-Encoding header accepts gzip. Thread-safe.
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_HTTP_COMPRESSION_H_
