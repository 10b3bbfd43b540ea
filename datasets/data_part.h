// The parts of a data set.
#ifndef HELLOCNN_DATASETS_DATA_PART_H_
#define HELLOCNN_DATASETS_DATA_PART_H_

#include <optional>
#include <string>

namespace hellocnn {

enum class DataPart { kTraining, kTest };

// Returns "training" or "test", for messages.
std::string ToString(DataPart part);

// Returns the part that is named so: "train" and "training", or "test", "testing" and "t10k", in
// lower case.
std::optional<DataPart> PartOfName(const std::string& word);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_DATA_PART_H_
