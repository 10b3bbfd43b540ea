// The format of the file of --config: a line `option = value` for each option, and comments.
//
// A value is bare, as in `listen = [::]:8500`, or in quotes. Between " and " a backslash begins an
// escape as in C: \" \\ \n \t \x1b. Between ' and ' every character stands for itself. A # begins a
// comment at the beginning of a line and after a value. A UTF-8 byte order mark is skipped.
#ifndef HELLOCNN_SERVER_CONFIG_CONFIG_FILE_H_
#define HELLOCNN_SERVER_CONFIG_CONFIG_FILE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hellocnn::server {

// Reads the text of a file of options and returns their values by name. `path` is for messages.
// INVALID_ARGUMENT: a line that is malformed, has no value, names none of `names`, or repeats
// another.
absl::StatusOr<std::map<std::string, std::string>> ParseConfigFile(
    const std::vector<std::string>& names, absl::string_view path, const std::string& text);

// Returns the value as the file holds it: a whole number bare, anything else in quotes.
std::string QuotedForConfigFile(const std::string& value);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_CONFIG_FILE_H_
