// The labels of classes: their order, what they may be, and files with one on each line.
#ifndef HELLOCNN_DATASETS_CLASS_LABELS_H_
#define HELLOCNN_DATASETS_CLASS_LABELS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// Returns true if `a` comes before `b` as people count: "2" before "10", "image 9" before "image
// 10", and numbers before words. It is a strict order of all strings.
bool CountsBefore(std::string_view a, std::string_view b);

// Checks that a model card can have these labels: kMinClasses to kMaxClasses, all different, none
// empty, each at most 255 bytes of UTF-8 without control characters. `source` is where they come
// from. INVALID_ARGUMENT: they are not so; the message begins with `source` and names the label.
absl::Status CheckClassLabels(const std::string& source, const std::vector<std::string>& labels);

// Reads a file with one label on each line, by class index; "-" is standard input. Empty lines at
// the end are left out. Returns the errors of ReadText and CheckClassLabels. Blocks on the disk.
absl::StatusOr<std::vector<std::string>> ReadClassLabels(const std::string& path);

// Returns the labels, quoted and separated by commas; of many, the first and their number.
std::string ListLabels(const std::vector<std::string>& labels);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_CLASS_LABELS_H_
