// The model card of weights that are converted.
#ifndef HELLOCNN_FORMATS_CONVERT_CARD_H_
#define HELLOCNN_FORMATS_CONVERT_CARD_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// How the model card beside a weight file fits it.
enum class CardMatch {
  kNoCard,        // there is no card, or it names another file
  kTheseWeights,  // it names the file, and holds the SHA-256 of the file or none
  kOtherWeights,  // it names the file, but holds another SHA-256
};

// Compares the weights `in` with the model card beside them. Blocks on the disk. Returns the errors
// of LoadModelCard, such as INVALID_ARGUMENT for a file of that name that is not a card of this
// project, and the errors of Sha256OfFile.
absl::StatusOr<CardMatch> MatchCard(const std::string& in);

// Writes the card that is beside `in` beside `out`, with the name and the SHA-256 of `out` in it,
// and copies the golden images that it names.
// Blocks on the disk. Returns the errors of LoadModelCard, Sha256OfFile
// and ReplaceFile.
absl::Status CopyCard(const std::string& in, const std::string& out);

// Returns the path of the card of the weights at `path`: model_card.json in the same folder.
std::string CardPath(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_CONVERT_CARD_H_
