// The headers of a call, as HTTP/2 brings them.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_REQUEST_HEADERS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_REQUEST_HEADERS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn::server {

inline constexpr int kHttpOk = 200;
inline constexpr int kMethodNotAllowed = 405;
inline constexpr int kUnsupportedMediaType = 415;

enum class Encoding { kIdentity, kGzip, kDeflate };

// The name of an encoding in grpc-encoding.
std::string_view NameOf(Encoding encoding);

// The metadata of a call, in one piece of memory. Keeps it for the next call unless it is large.
// Thread-compatible.
class CallMetadata {
 public:
  // Adds a value, which is decoded if the key ends with "-bin". Returns false if that fails.
  bool Add(std::string_view key, std::string_view value);
  // Returns the first value of `key`, valid until the object changes.
  std::optional<std::string_view> Find(std::string_view key) const;
  void Clear();

 private:
  struct Entry {
    std::size_t key;  // where it begins in text_
    std::size_t value;
    std::size_t end;
  };

  std::string text_;
  std::vector<Entry> entries_;
};

// Takes the headers one by one, and then says what is wrong with them. Keeps its memory for the
// next call, except for that of large headers. Thread-compatible.
class RequestHeaders {
 public:
  // Takes a header. The names are in lower case, and nghttp2 has checked that they and the values
  // are made of the characters that HTTP allows. Of several headers of the protocol with the same
  // name, the last one counts, but each one that cannot be taken is a fault.
  void Add(std::string_view name, std::string_view value);
  // Begins anew, for the next call.
  void Clear();

  // Says in `why` what makes this no call of gRPC. Returns the HTTP status to respond with then,
  // and else kHttpOk.
  int CheckHttp(std::string* why) const;
  // What is wrong with the call of gRPC, or OK. The message says what was found and what was
  // wanted.
  const absl::Status& wrong() const { return wrong_; }

  bool is_head() const { return method_ == "HEAD"; }
  std::string_view path() const { return path_; }
  absl::Duration timeout() const { return timeout_; }  // infinite if the caller names none
  Encoding encoding() const { return encoding_; }
  // That of the requests, if the caller says that it accepts it.
  Encoding response_encoding() const {
    return (accepted_ >> static_cast<int>(encoding_) & 1) != 0 ? encoding_ : Encoding::kIdentity;
  }
  // The headers that are not the protocol's own.
  CallMetadata* metadata() { return &metadata_; }

 private:
  std::string method_;
  std::string path_;
  std::string content_type_;
  absl::Duration timeout_ = absl::InfiniteDuration();
  Encoding encoding_ = Encoding::kIdentity;
  unsigned accepted_ = 0;  // a bit for each encoding
  CallMetadata metadata_;
  absl::Status wrong_;  // the first header that cannot be taken
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_REQUEST_HEADERS_H_
