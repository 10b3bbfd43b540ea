// EMNIST's mapping files, which say what its labels mean.
#ifndef HELLOCNN_DATASETS_EMNIST_MAPPING_H_
#define HELLOCNN_DATASETS_EMNIST_MAPPING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

struct EmnistMapping {
  std::string path;
  int first_label = 0;                    // that of class 0; 1 for EMNIST's letters
  std::vector<std::string> class_labels;  // one character each: "A"
};

// Reads the mapping file beside a file of images: emnist-letters-mapping.txt beside
// emnist-letters-train-images-idx3-ubyte.gz. Each line has a label and the ASCII codes of the
// characters that it stands for, of which the first counts: "1 65 97" is A. Returns nullopt if
// there is no such file. INVALID_ARGUMENT: the file has other lines, the labels do not count up by
// 1, or two have the same character; the message names the file and the line. Other errors are
// those of ReadFileStart. Thread-safe. Blocks on the disk.
absl::StatusOr<std::optional<EmnistMapping>> ReadEmnistMapping(const std::string& images_path);

// Returns true if the file is named as EMNIST's are, which store the columns of images.
bool IsNamedAsEmnist(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_EMNIST_MAPPING_H_
