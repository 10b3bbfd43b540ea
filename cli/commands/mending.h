// Mends labelled images that are stored in another way than MNIST's, and finds out how.
#ifndef HELLOCNN_CLI_COMMANDS_MENDING_H_
#define HELLOCNN_CLI_COMMANDS_MENDING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/commands/evaluation.h"
#include "hellocnn/client/client.h"
#include "hellocnn/data/idx.h"

namespace CLI {
class App;
}  // namespace CLI

namespace hellocnn::cli {

// Returns the images, fitted to what the model expects. Errors are those of FitGrey.
absl::StatusOr<std::vector<client::Image>> Fit(const LabeledImages& set,
                                               const client::Preprocessing& preprocessing);

// A model that is right less often has met something that it was not trained on.
inline constexpr double kSuspiciousAccuracy = 0.8;

// If `accuracy`, the share of images that were right, is below kSuspiciousAccuracy, has the server
// classify at most 300 of them again, inverted, transposed and both. Returns a sentence with the
// flags that would make more of them right than chance could, or "" if none would or the server
// does not respond. The fewer images there are, the more of them must be right; no flags are found
// for fewer than five. `set` is the images as they were sent, after `mending`, and must not be
// empty. Blocks.
std::string FindMending(const client::Client& client, const LabeledImages& set,
                        const client::ModelInfo& model, double accuracy,
                        const Presentation& mending, const EvaluationOptions& options);

// Adds --invert and --transpose, which set `mending`. It must outlive parsing.
void AddMendingOptions(CLI::App& command, Presentation& mending);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_MENDING_H_
