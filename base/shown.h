// Makes text from outside fit for a message.
#ifndef HELLOCNN_BASE_SHOWN_H_
#define HELLOCNN_BASE_SHOWN_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace hellocnn {

// Returns the first `max_bytes` bytes of `text`, with "…" after them if there are more. Everything
// but printable ASCII is escaped as in C, quotes and backslashes too, so that the result can go to
// a terminal, a log or a JSON file whatever the text holds. Thread-safe.
std::string Shown(std::string_view text, std::size_t max_bytes = 80);

// Returns `text` with everything escaped as in C that a terminal or a reader of a log may take for
// more than text: control characters, line ends among them, bytes that are not UTF-8, and
// characters that separate lines or change the direction of text. All else stays as it is.
// Thread-safe.
std::string Printable(std::string_view text);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_SHOWN_H_
