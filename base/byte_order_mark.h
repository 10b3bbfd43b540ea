// The mark that some editors, on Windows above all, put before a text.
#ifndef HELLOCNN_BASE_BYTE_ORDER_MARK_H_
#define HELLOCNN_BASE_BYTE_ORDER_MARK_H_

#include <string_view>

namespace hellocnn {

// Returns `text` without a UTF-8 byte order mark at its beginning. The result refers to `text`.
// Thread-safe.
inline std::string_view WithoutByteOrderMark(std::string_view text) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  return text.substr(0, kMark.size()) == kMark ? text.substr(kMark.size()) : text;
}

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_BYTE_ORDER_MARK_H_
