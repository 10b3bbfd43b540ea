#include "server/rpc/transport/http2/grpc_wire.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace hellocnn::server {

namespace {

// Abseil takes dots for padding too, and skips spaces anywhere.
bool Decode(absl::string_view value, std::string* decoded) {
  constexpr absl::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  value = absl::StripAsciiWhitespace(value);
  return value.find_first_not_of(kDigits) == absl::string_view::npos &&
         absl::Base64Unescape(value, decoded);
}

}  // namespace

std::optional<absl::Duration> ParseTimeout(std::string_view text) {
  constexpr std::size_t kMostDigits = 8;
  if (text.size() < 2 || text.size() > kMostDigits + 1) return std::nullopt;
  std::uint32_t number = 0;
  const char* const end = text.data() + text.size() - 1;
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  switch (*end) {
    case 'H':
      return absl::Hours(number);
    case 'M':
      return absl::Minutes(number);
    case 'S':
      return absl::Seconds(number);
    case 'm':
      return absl::Milliseconds(number);
    case 'u':
      return absl::Microseconds(number);
    case 'n':
      return absl::Nanoseconds(number);
    default:
      return std::nullopt;
  }
}

void AppendPercentEncoded(std::string_view text, std::string* to) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '%'; };
  while (!text.empty()) {
    const auto plain = std::find_if_not(text.begin(), text.end(), is_plain);
    to->append(text.begin(), plain);
    text.remove_prefix(static_cast<std::size_t>(plain - text.begin()));
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    to->append({'%', kDigits[byte >> 4], kDigits[byte & 15]});
    text.remove_prefix(1);
  }
}

bool AppendBinary(std::string_view text, std::string* to) {
  std::string first;
  std::string decoded;
  bool is_first = true;
  for (const absl::string_view value :
       absl::StrSplit(absl::string_view(text.data(), text.size()), ',')) {
    if (!Decode(value, &decoded)) return false;
    if (std::exchange(is_first, false)) first = decoded;
  }
  to->append(first);
  return true;
}

std::string EncodeBinary(std::string_view value) {
  std::string encoded = absl::Base64Escape(absl::string_view(value.data(), value.size()));
  while (encoded.ends_with('=')) encoded.pop_back();
  return encoded;
}

std::string ValueToSend(std::string_view key, std::string_view value) {
  return key.ends_with("-bin") ? EncodeBinary(value) : std::string(value);
}

bool IsGrpcContentType(std::string_view text) {
  constexpr std::string_view kType = "application/grpc";
  if (!text.starts_with(kType)) return false;
  text.remove_prefix(kType.size());
  return text.empty() || text.front() == '+' || text.front() == ';';
}

}  // namespace hellocnn::server
