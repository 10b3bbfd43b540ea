#include "datasets/emnist_mapping.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/shown.h"
#include "datasets/class_labels.h"

namespace hellocnn {
namespace {

constexpr std::size_t kMaxMappingBytes = std::size_t{1} << 16;
constexpr int kMaxMappedLabel = 1'000'000;
constexpr int kFirstCode = '!';
constexpr int kLastCode = '~';

// Returns the path of the mapping, or "" if the images are not named as EMNIST's.
std::string PathOfMapping(const std::filesystem::path& images) {
  const std::string name = images.filename().string();
  const std::string lower = absl::AsciiStrToLower(name);
  for (const char* part : {"-train-images", "-test-images"}) {
    const std::size_t at = lower.find(part);
    if (at == std::string::npos) continue;
    return (images.parent_path() / (name.substr(0, at) + "-mapping.txt")).string();
  }
  return "";
}

// Reads a label and its first code. Returns false if the line is not so.
bool ReadMappingLine(const std::string& line, int& label, int& code) {
  const std::vector<std::string> numbers =
      absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  for (const std::string& number : numbers) {
    int other = 0;
    if (!absl::SimpleAtoi(number, &other) || other < 0 || other > kMaxMappedLabel) return false;
  }
  return numbers.size() >= 2 && absl::SimpleAtoi(numbers[0], &label) &&
         absl::SimpleAtoi(numbers[1], &code) && code >= kFirstCode && code <= kLastCode;
}

}  // namespace

absl::StatusOr<std::optional<EmnistMapping>> ReadEmnistMapping(const std::string& images_path) {
  EmnistMapping mapping;
  mapping.path = PathOfMapping(images_path);
  if (mapping.path.empty()) return std::nullopt;
  const absl::StatusOr<std::string> text = ReadFileStart(mapping.path, kMaxMappingBytes);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  int number = 0;
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  for (const std::string& line : lines) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    int label = 0;
    int code = 0;
    const bool is_good = ReadMappingLine(line, label, code);
    if (mapping.class_labels.empty()) mapping.first_label = label;
    const int wanted = mapping.first_label + static_cast<int>(mapping.class_labels.size());
    if (!is_good || label != wanted) {
      return absl::InvalidArgumentError(absl::StrCat(
          mapping.path, ": line ", number, " is \"", Shown(line), "\"; wanted ",
          mapping.class_labels.empty() ? "a label" : absl::StrCat("the label ", wanted),
          " and the code of a character, such as \"1 65 97\""));
    }
    mapping.class_labels.emplace_back(1, static_cast<char>(code));
  }
  if (absl::Status status = CheckClassLabels(mapping.path, mapping.class_labels); !status.ok()) {
    return status;
  }
  return mapping;
}

bool IsNamedAsEmnist(const std::string& path) {
  return absl::StartsWithIgnoreCase(std::filesystem::path(path).filename().string(), "emnist");
}

}  // namespace hellocnn
