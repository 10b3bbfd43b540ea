// How one option is stated: a row with its name, the type and the range of its value, and its help.
// All functions here follow from what the row says. They are pure and can be called from any
// thread.
#ifndef HELLOCNN_SERVER_CONFIG_OPTION_ROW_H_
#define HELLOCNN_SERVER_CONFIG_OPTION_ROW_H_

#include <limits>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/config/options.h"

namespace hellocnn::server {

// A whole number from `low` to `high`, and within the values of other options where there are some.
// A default above `high_option` is lowered to it, so that lowering that option needs no second
// flag; a given value above it is rejected.
struct WholeNumber {
  int Options::*member = nullptr;
  int low = 1;
  int high = std::numeric_limits<int>::max();
  int Options::*low_option = nullptr;
  int Options::*high_option = nullptr;
  absl::string_view unit;
  // For a default that depends on the machine: computes it, and describes it in the documents.
  int (*default_here)() = nullptr;
  absl::string_view default_in_words;
};

// A duration from `low` to `high`, or also 0.
struct TimeSpan {
  absl::Duration Options::*member = nullptr;
  absl::Duration low;
  absl::Duration high;
  bool or_zero = false;
  absl::string_view example;
};

// One of `values`.
struct Choice {
  std::string Options::*member = nullptr;
  std::vector<absl::string_view> values;
};

// host:port, or also unix:/path or "off".
struct Address {
  std::string Options::*member = nullptr;
  bool or_off = false;
  bool or_unix = false;
};

// The path of a folder, which need not exist.
struct Folder {
  std::string Options::*member = nullptr;
  // For a default that depends on the machine: computes it, and describes it in the documents.
  std::string (*default_here)() = nullptr;
  absl::string_view default_in_words;
};

// The path of a file, or "off". The file is read later.
struct OptionalFile {
  std::string Options::*member = nullptr;
};

// Text that `check` accepts; its error says what was wanted.
struct Text {
  std::string Options::*member = nullptr;
  absl::Status (*check)(const std::string& text) = nullptr;
  absl::string_view range;
  absl::string_view placeholder;
};

struct OptionRow {
  absl::string_view group;  // the heading in --help and in the documents; rows of a group adjoin
  absl::string_view name;   // as after "--"
  std::variant<WholeNumber, TimeSpan, Choice, Address, Folder, OptionalFile, Text> type;
  absl::string_view help;     // one sentence that fits into a table cell
  absl::string_view details;  // further sentences, each with a capital and a full stop, or ""
  bool http2_only = false;    // rejected with any other transport, unless it is the default
};

using OptionRows = std::span<const OptionRow>;

// Returns false, and changes nothing, if the text is not of the row's type. The range is not
// checked.
bool SetFromText(const OptionRow& row, const std::string& text, Options* options);

// Returns true if the option's value lies in its range.
bool IsInRange(const OptionRow& row, const Options& options);

// Returns what is wrong with a value that is not in its range, or "" if the range says it all.
std::string WhyNot(const OptionRow& row, const Options& options);

// Returns false if the transport does not have the option, and its value is not the default, which
// has no effect.
bool HasEffect(const OptionRow& row, const Options& options);

// Returns the option's value in the form that SetFromText reads.
std::string ShowValue(const OptionRow& row, const Options& options);

// Sets the option to its default on this machine. What does not depend on the machine stays as the
// struct has it.
void SetDefaultHere(const OptionRow& row, Options* options);

// Lowers a default to the option that bounds it from above, if there is one.
void LowerDefaultToBound(const OptionRow& row, Options* options);

// Returns what stands for the value in a usage text: "IMAGES".
std::string Placeholder(const OptionRow& row);

// Returns the default in words that are true on every machine.
std::string DefaultInWords(const OptionRow& row, OptionRows rows);

// Returns the further sentences of the help, or "".
std::string Details(const OptionRow& row);

// Returns the range alone: "1 to 1024 images". Bounds that are options are named, and shown with
// their value if there are `values`, which may be null. `rows` has those options.
std::string Range(const OptionRow& row, OptionRows rows, const Options* values);

// Returns what a message says that it wanted: the range, and what else the value needs.
std::string Wanted(const OptionRow& row, OptionRows rows, const Options* values);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CONFIG_OPTION_ROW_H_
