#include "server/config/option_row.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/nearest.h"
#include "base/unix_socket.h"

namespace hellocnn::server {
namespace {

bool Read(const std::string& text, std::string* value) {
  *value = text;
  return true;
}
bool Read(const std::string& text, int* value) {
  int number = 0;
  if (!absl::SimpleAtoi(text, &number)) return false;
  *value = number;
  return true;
}
bool Read(const std::string& text, absl::Duration* value) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) return false;
  *value = duration;
  return true;
}

std::string Show(const std::string& value) { return value; }
std::string Show(int value) { return absl::StrCat(value); }
std::string Show(absl::Duration value) {
  // FormatDuration shows no unit here, and every other duration needs one.
  return value == absl::ZeroDuration() ? "0s" : absl::FormatDuration(value);
}

bool Allows(const WholeNumber& type, const Options& options) {
  const int value = options.*type.member;
  return type.low <= value && value <= type.high &&
         (type.low_option == nullptr || options.*type.low_option <= value) &&
         (type.high_option == nullptr || value <= options.*type.high_option);
}
bool Allows(const TimeSpan& type, const Options& options) {
  const absl::Duration value = options.*type.member;
  return (type.or_zero && value == absl::ZeroDuration()) ||
         (type.low <= value && value <= type.high);
}
bool Allows(const Choice& type, const Options& options) {
  return std::find(type.values.begin(), type.values.end(), options.*type.member) !=
         type.values.end();
}
// Returns what is wrong with an address.
absl::Status CheckAddress(const Address& type, const std::string& value) {
  if (type.or_off && value == "off") return absl::OkStatus();
  return type.or_unix && IsUnixAddress(value) ? ParseUnixAddress(value).status()
                                              : ParseHostPort(value).status();
}
bool Allows(const Address& type, const Options& options) {
  return CheckAddress(type, options.*type.member).ok();
}
bool Allows(const Folder& type, const Options& options) { return !(options.*type.member).empty(); }
bool Allows(const OptionalFile& type, const Options& options) {
  return !(options.*type.member).empty();
}

bool Allows(const Text& type, const Options& options) {
  return type.check(options.*type.member).ok();
}

// The row whose member is `member`. There is one: a bound is always another row's option.
const OptionRow& RowOf(int Options::*member, OptionRows rows) {
  return *std::find_if(rows.begin(), rows.end(), [member](const OptionRow& row) {
    const auto* number = std::get_if<WholeNumber>(&row.type);
    return number != nullptr && number->member == member;
  });
}

std::string InWords(int Options::*option, OptionRows rows, const Options* values) {
  const absl::string_view name = RowOf(option, rows).name;
  return values == nullptr ? std::string(name) : absl::StrCat(name, " (", values->*option, ")");
}

std::string RangeOf(const WholeNumber& type, OptionRows rows, const Options* values) {
  const bool bounded = type.high != std::numeric_limits<int>::max();
  const std::string low =
      type.low_option == nullptr ? absl::StrCat(type.low) : InWords(type.low_option, rows, values);
  if (type.high_option != nullptr) {
    return absl::StrCat(low, " to ", InWords(type.high_option, rows, values), " ", type.unit,
                        bounded ? absl::StrCat(", at most ", type.high) : "");
  }
  return bounded ? absl::StrCat(low, " to ", type.high, " ", type.unit)
                 : absl::StrCat("at least ", low, " ", type.unit);
}
std::string RangeOf(const TimeSpan& type, OptionRows /*rows*/, const Options* /*values*/) {
  return absl::StrCat(Show(type.low), " to ", Show(type.high), type.or_zero ? ", or 0s" : "");
}
std::string RangeOf(const Choice& type, OptionRows /*rows*/, const Options* /*values*/) {
  std::string text;
  for (std::size_t i = 0; i < type.values.size(); ++i) {
    const bool last = i + 1 == type.values.size();
    absl::StrAppend(&text, i == 0 ? "" : last ? " or " : ", ", type.values[i]);
  }
  return text;
}
std::string RangeOf(const Address& type, OptionRows /*rows*/, const Options* /*values*/) {
  return absl::StrCat("host:port", type.or_unix ? ", or unix:/path" : "",
                      type.or_off ? ", or off" : "");
}
std::string RangeOf(const Folder& /*type*/, OptionRows /*rows*/, const Options* /*values*/) {
  return "a folder or a file";
}
std::string RangeOf(const OptionalFile& /*type*/, OptionRows /*rows*/, const Options* /*values*/) {
  return "a file, or off";
}
std::string RangeOf(const Text& type, OptionRows /*rows*/, const Options* /*values*/) {
  return std::string(type.range);
}

std::string PlaceholderOf(const WholeNumber& type) { return absl::AsciiStrToUpper(type.unit); }
std::string PlaceholderOf(const TimeSpan& /*type*/) { return "DURATION"; }
std::string PlaceholderOf(const Choice& /*type*/) { return "NAME"; }
std::string PlaceholderOf(const Address& type) { return type.or_unix ? "ADDRESS" : "HOST:PORT"; }
std::string PlaceholderOf(const Folder& /*type*/) { return "FOLDER"; }
std::string PlaceholderOf(const OptionalFile& /*type*/) { return "FILE"; }
std::string PlaceholderOf(const Text& type) { return std::string(type.placeholder); }

}  // namespace

bool SetFromText(const OptionRow& row, const std::string& text, Options* options) {
  return std::visit([&](const auto& type) { return Read(text, &(options->*type.member)); },
                    row.type);
}

bool IsInRange(const OptionRow& row, const Options& options) {
  return std::visit([&](const auto& type) { return Allows(type, options); }, row.type);
}

std::string WhyNot(const OptionRow& row, const Options& options) {
  if (const auto* choice = std::get_if<Choice>(&row.type)) {
    const std::string nearest =
        Nearest(options.*choice->member, {choice->values.begin(), choice->values.end()});
    if (nearest.empty()) return "";
    return absl::StrCat("wanted ", Range(row, {}, nullptr), "; did you mean ", nearest, "?");
  }
  const auto* address = std::get_if<Address>(&row.type);
  if (address == nullptr) return "";
  const absl::Status status = CheckAddress(*address, options.*address->member);
  return absl::StrCat(std::string(status.message()), address->or_off ? ", or off" : "");
}

bool HasEffect(const OptionRow& row, const Options& options) {
  return !row.http2_only || options.transport == "http2" ||
         ShowValue(row, options) == ShowValue(row, Options());
}

std::string ShowValue(const OptionRow& row, const Options& options) {
  return std::visit([&](const auto& type) { return Show(options.*type.member); }, row.type);
}

void SetDefaultHere(const OptionRow& row, Options* options) {
  const auto* number = std::get_if<WholeNumber>(&row.type);
  if (number != nullptr && number->default_here != nullptr) {
    options->*number->member = number->default_here();
  }
  const auto* folder = std::get_if<Folder>(&row.type);
  if (folder != nullptr && folder->default_here != nullptr) {
    options->*folder->member = folder->default_here();
  }
}

void LowerDefaultToBound(const OptionRow& row, Options* options) {
  const auto* number = std::get_if<WholeNumber>(&row.type);
  if (number == nullptr || number->high_option == nullptr) return;
  int& value = options->*number->member;
  value = std::min(value, options->*number->high_option);
}

std::string Placeholder(const OptionRow& row) {
  return std::visit([](const auto& type) { return PlaceholderOf(type); }, row.type);
}

std::string DefaultInWords(const OptionRow& row, OptionRows rows) {
  std::string shown = ShowValue(row, Options());
  const auto* folder = std::get_if<Folder>(&row.type);
  if (folder != nullptr && !folder->default_in_words.empty()) {
    return std::string(folder->default_in_words);
  }
  const auto* number = std::get_if<WholeNumber>(&row.type);
  if (number == nullptr) return shown;
  if (!number->default_in_words.empty()) return std::string(number->default_in_words);
  if (number->high_option == nullptr) return shown;
  return absl::StrCat(shown, ", or ", RowOf(number->high_option, rows).name, " if that is less");
}

std::string Details(const OptionRow& row) {
  constexpr absl::string_view kOnly = "Only --transport=http2 has this option.";
  if (!row.http2_only) return std::string(row.details);
  return absl::StrCat(row.details, row.details.empty() ? "" : " ", kOnly);
}

std::string Range(const OptionRow& row, OptionRows rows, const Options* values) {
  return std::visit([&](const auto& type) { return RangeOf(type, rows, values); }, row.type);
}

std::string Wanted(const OptionRow& row, OptionRows rows, const Options* values) {
  const std::string range = Range(row, rows, values);
  const auto* duration = std::get_if<TimeSpan>(&row.type);
  return duration == nullptr
             ? range
             : absl::StrCat("a duration with a unit, ", range, ", for example ", duration->example);
}

}  // namespace hellocnn::server
