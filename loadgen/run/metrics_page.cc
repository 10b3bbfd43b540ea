#include "loadgen/run/metrics_page.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/shown.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kMaxShown = 60;  // most characters that a message quotes of an invalid line

bool IsNameCharacter(char c) { return absl::ascii_isalnum(c) || c == '_' || c == ':'; }

// Reads one line from start to end: name{label="value",...} value [timestamp]
class LineReader {
 public:
  explicit LineReader(const std::string& line) : line_(line) {}

  // Returns the name at the current place, or an empty string if there is none. Labels reads none
  // in that case, too.
  std::string Name() {
    const std::size_t start = at_;
    while (at_ < line_.size() && IsNameCharacter(line_[at_])) ++at_;
    return line_.substr(start, at_ - start);
  }

  bool Labels(MetricsPage::Labels& labels) {
    if (!Take('{')) return true;
    while (!Take('}')) {
      const std::string name = Name();
      std::string value;
      if (name.empty() || !Take('=') || !Quoted(value)) return false;
      labels[name] = value;
      if (!Take(',') && Peek() != '}') return false;
    }
    return true;
  }

  bool Value(double& value) {
    const std::vector<std::string> words =
        absl::StrSplit(line_.substr(at_), absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
    return (words.size() == 1 || words.size() == 2) && absl::SimpleAtod(words[0], &value);
  }

 private:
  char Peek() const { return at_ < line_.size() ? line_[at_] : '\0'; }

  bool Take(char wanted) {
    while (Peek() == ' ') ++at_;
    if (Peek() != wanted) return false;
    ++at_;
    while (Peek() == ' ') ++at_;
    return true;
  }

  bool Quoted(std::string& text) {
    if (Peek() != '"') return false;
    for (++at_; at_ < line_.size(); ++at_) {
      if (line_[at_] == '"') {
        ++at_;
        return true;
      }
      if (line_[at_] == '\\' && ++at_ < line_.size() && line_[at_] == 'n') {
        text += '\n';
      } else if (at_ < line_.size()) {
        text += line_[at_];
      }
    }
    return false;
  }

  const std::string& line_;
  std::size_t at_ = 0;
};

}  // namespace

absl::StatusOr<MetricsPage> MetricsPage::Parse(const std::string& text) {
  MetricsPage page;
  int number = 0;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    ++number;
    if (absl::StripAsciiWhitespace(line).empty() || line[0] == '#') continue;
    LineReader reader(line);
    const std::string name = reader.Name();
    Sample sample{};
    if (name.empty() || !reader.Labels(sample.labels) || !reader.Value(sample.value)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "line ", number, " is '", Shown(line, kMaxShown), "', which is no sample of a metric"));
    }
    page.samples_[name].push_back(std::move(sample));
  }
  if (page.samples_.empty()) return absl::InvalidArgumentError("there is no metric in it");
  return page;
}

std::optional<double> MetricsPage::Sum(const std::string& name, const Labels& labels) const {
  const auto found = samples_.find(name);
  if (found == samples_.end()) return std::nullopt;
  std::optional<double> sum;
  for (const Sample& sample : found->second) {
    const bool fits = std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
      const auto own = sample.labels.find(label.first);
      return own != sample.labels.end() && own->second == label.second;
    });
    if (fits) sum = sum.value_or(0) + sample.value;
  }
  return sum;
}

}  // namespace hellocnn::load
