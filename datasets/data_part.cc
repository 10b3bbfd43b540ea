#include "datasets/data_part.h"

namespace hellocnn {

std::string ToString(DataPart part) { return part == DataPart::kTraining ? "training" : "test"; }

std::optional<DataPart> PartOfName(const std::string& word) {
  if (word == "train" || word == "training") return DataPart::kTraining;
  if (word == "test" || word == "testing" || word == "t10k") return DataPart::kTest;
  return std::nullopt;
}

}  // namespace hellocnn
