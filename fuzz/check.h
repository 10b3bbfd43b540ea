// What every fuzz target asks of the parser that it feeds.
#ifndef HELLOCNN_FUZZ_CHECK_H_
#define HELLOCNN_FUZZ_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace hellocnn::fuzz {

// Prints `what` and `detail`, and aborts, unless `condition` is true: libFuzzer then keeps the
// input.
void Require(bool condition, std::string_view what, std::string_view detail = "");

// Requires an error that a parser may give: INVALID_ARGUMENT, with a message that begins with
// `name`, has at most 4 KiB and can be printed: it is UTF-8 without control characters, whatever
// the input holds, so that it can go to a terminal, a log and a JSON file.
void RequireGoodError(const absl::Status& status, std::string_view name);

inline std::string AsString(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace hellocnn::fuzz

#endif  // HELLOCNN_FUZZ_CHECK_H_
