#include "datasets/class_labels.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/byte_order_mark.h"
#include "base/input.h"
#include "base/shown.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr std::size_t kMaxLabelBytes = 255;
constexpr std::size_t kMaxLabelFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxListedLabels = 10;

// Takes the digits that `text` begins with from it, and returns them without leading zeros.
std::string_view TakeNumber(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[end]))) ++end;
  std::string_view digits = text.substr(0, end);
  text.remove_prefix(end);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  return digits;
}

bool StartsWithDigit(std::string_view text) {
  return !text.empty() && absl::ascii_isdigit(static_cast<unsigned char>(text[0]));
}

// Returns what is wrong with a label, or "".
std::string FlawOf(const std::string& label) {
  if (label.empty()) return "is empty";
  if (label.size() > kMaxLabelBytes) return absl::StrCat("has ", label.size(), " bytes");
  if (Printable(label) != label) return "is no text that can be printed";
  return "";
}

}  // namespace

bool CountsBefore(std::string_view a, std::string_view b) {
  const std::pair whole(a, b);
  while (!a.empty() && !b.empty()) {
    if (StartsWithDigit(a) && StartsWithDigit(b)) {
      const std::string_view left = TakeNumber(a);
      const std::string_view right = TakeNumber(b);
      if (left.size() != right.size()) return left.size() < right.size();
      if (left != right) return left < right;
      continue;
    }
    // Digits come before everything else.
    if (StartsWithDigit(a) != StartsWithDigit(b)) return StartsWithDigit(a);
    if (a[0] != b[0]) return static_cast<unsigned char>(a[0]) < static_cast<unsigned char>(b[0]);
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  if (a.empty() != b.empty()) return a.empty();
  return whole.first < whole.second;  // "07" and "7"
}

absl::Status CheckClassLabels(const std::string& source, const std::vector<std::string>& labels) {
  if (labels.size() < kMinClasses || labels.size() > kMaxClasses) {
    return absl::InvalidArgumentError(absl::StrCat(source, ": has ", labels.size(),
                                                   labels.size() == 1 ? " class" : " classes",
                                                   "; wanted ", kMinClasses, " to ", kMaxClasses));
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    std::string flaw = FlawOf(labels[i]);
    if (flaw.empty() && !seen.insert(labels[i]).second) flaw = "is there twice";
    if (flaw.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        source, ": the label \"", Shown(labels[i]), "\" of class ", i, " ", flaw,
        "; wanted different labels of 1 to ", kMaxLabelBytes, " bytes of printable text"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReadClassLabels(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadText(path, kMaxLabelFileBytes);
  if (!text.ok()) return text.status();
  const std::string lines(WithoutByteOrderMark(*text));
  std::vector<std::string> labels = absl::StrSplit(lines, '\n');
  for (std::string& label : labels) {
    if (label.ends_with('\r')) label.pop_back();
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  if (absl::Status status = CheckClassLabels(path, labels); !status.ok()) return status;
  return labels;
}

std::string ListLabels(const std::vector<std::string>& labels) {
  const std::size_t listed = std::min(labels.size(), kMaxListedLabels);
  const auto quote = [](std::string* out, const std::string& label) {
    absl::StrAppend(out, "\"", Shown(label, 40), "\"");
  };
  std::string list = absl::StrJoin(
      labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(listed), ", ", quote);
  if (listed < labels.size()) absl::StrAppend(&list, " and ", labels.size() - listed, " more");
  return list.empty() ? "none" : list;
}

}  // namespace hellocnn
