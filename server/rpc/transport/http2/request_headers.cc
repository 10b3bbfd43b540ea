#include "server/rpc/transport/http2/request_headers.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "server/rpc/transport/http2/grpc_wire.h"

namespace hellocnn::server {
namespace {

// The most memory that a text may keep while there is no call to charge it to.
constexpr std::size_t kKeptBytes = 1024;

// Empties `text`, and frees its memory if it is large.
void Forget(std::string* text) {
  if (text->capacity() > kKeptBytes) std::string().swap(*text);
  text->clear();
}

// Whether one of the values of a list with commas is `wanted`.
bool ListHas(std::string_view list, std::string_view wanted) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string_view value = list.substr(0, comma);
    list.remove_prefix(std::min(comma + 1, list.size()));
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    if (value == wanted) return true;
  }
  return false;
}

}  // namespace

std::string_view NameOf(Encoding encoding) {
  switch (encoding) {
    case Encoding::kGzip:
      return "gzip";
    case Encoding::kDeflate:
      return "deflate";
    case Encoding::kIdentity:
      break;
  }
  return "identity";
}

bool CallMetadata::Add(std::string_view key, std::string_view value) {
  Entry entry{.key = text_.size(), .value = text_.size() + key.size(), .end = 0};
  text_.append(key);
  if (!key.ends_with("-bin")) {
    text_.append(value);
  } else if (!AppendBinary(value, &text_)) {
    text_.resize(entry.key);
    return false;
  }
  entry.end = text_.size();
  entries_.push_back(entry);
  return true;
}

std::optional<std::string_view> CallMetadata::Find(std::string_view key) const {
  const std::string_view text = text_;
  for (const Entry& entry : entries_) {
    if (text.substr(entry.key, entry.value - entry.key) == key) {
      return text.substr(entry.value, entry.end - entry.value);
    }
  }
  return std::nullopt;
}

void CallMetadata::Clear() {
  Forget(&text_);
  if (entries_.capacity() > kKeptBytes / sizeof(Entry)) std::vector<Entry>().swap(entries_);
  entries_.clear();
}

void RequestHeaders::Add(std::string_view name, std::string_view value) {
  if (name == ":path") {
    path_ = value;
  } else if (name == ":method") {
    method_ = value;
  } else if (name == "content-type") {
    content_type_ = value;
  } else if (name == "grpc-timeout") {
    const std::optional<absl::Duration> timeout = ParseTimeout(value);
    if (timeout.has_value()) {
      timeout_ = *timeout;
    } else if (wrong_.ok()) {
      wrong_ = absl::InternalError(absl::StrCat(
          "grpc-timeout is ", Shown(value),
          ", wanted 1 to 8 digits and a unit: H, M, S, m, u or n, for hours to nanoseconds"));
    }
  } else if (name == "grpc-encoding") {
    if (value == "gzip") {
      encoding_ = Encoding::kGzip;
    } else if (value == "deflate") {
      encoding_ = Encoding::kDeflate;
    } else if (value == "identity") {
      encoding_ = Encoding::kIdentity;
    } else if (wrong_.ok()) {
      wrong_ = absl::UnimplementedError(
          absl::StrCat("grpc-encoding is ", Shown(value), ", wanted identity, gzip or deflate"));
    }
  } else if (name.starts_with(':') || name == "te") {
    return;
  } else if (name == "grpc-accept-encoding") {
    for (const Encoding encoding : {Encoding::kGzip, Encoding::kDeflate}) {
      if (ListHas(value, NameOf(encoding))) accepted_ |= 1U << static_cast<int>(encoding);
    }
  } else if (!metadata_.Add(name, value) && wrong_.ok()) {
    wrong_ = absl::InternalError(
        absl::StrCat("the metadata ", Shown(name), " is ", Shown(value), ", wanted Base64"));
  }
}

void RequestHeaders::Clear() {
  for (std::string* text : {&method_, &path_, &content_type_}) Forget(text);
  timeout_ = absl::InfiniteDuration();
  encoding_ = Encoding::kIdentity;
  accepted_ = 0;
  metadata_.Clear();
  wrong_ = absl::OkStatus();
}

int RequestHeaders::CheckHttp(std::string* why) const {
  if (method_ != "POST") {
    *why = absl::StrCat("the HTTP method is ", Shown(method_), ", wanted POST");
    return kMethodNotAllowed;
  }
  if (!IsGrpcContentType(content_type_)) {
    *why = absl::StrCat("content-type is ", Shown(content_type_), ", wanted application/grpc");
    return kUnsupportedMediaType;
  }
  return kHttpOk;
}

}  // namespace hellocnn::server
