// hellocnn-convert: converts weight files from one format to another.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/command_line/command_line.h"
#include "base/out_of_memory.h"
#include "base/shown.h"
#include "base/standard_descriptors.h"
#include "base/version.h"
#include "hellocnn/formats/convert_card.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  hellocnn-convert models/mnist/1/weights.pt weights.safetensors\n"
    "  hellocnn-convert --force weights.safetensors weights.pt\n"
    "  hellocnn-convert --force weights.pt weights.pt    # writes its SHA-256 into the card\n"
    "\n"
    "Exit codes: 0 fine, 1 failed, 2 wrong usage.";

struct Flags {
  std::string in;
  std::string out;
  bool force = false;
  bool trust_card = false;
};

int Fail(const std::string& message) {
  std::fprintf(stderr, "hellocnn-convert: %s\n", Printable(message).c_str());
  return 1;
}

std::string CheckEnding(const std::string& path) {
  if (HasWeightFileEnding(path)) return "";
  return path + " does not tell the format; wanted a name that ends in .pt or .safetensors";
}

// Writes the card of the converted weights beside them, if there is one that is of them.
int WriteCard(const Flags& flags, const absl::StatusOr<CardMatch>& card) {
  const std::string from = CardPath(flags.in);
  const std::string to = CardPath(flags.out);
  std::error_code error;
  if (!card.ok()) {
    std::fprintf(stderr, "hellocnn-convert: warning: wrote no model card: %s\n",
                 Printable(std::string(card.status().message())).c_str());
  } else if (*card == CardMatch::kNoCard) {
    std::printf("wrote no model card: there is none beside %s that names it\n", flags.in.c_str());
  } else if (*card == CardMatch::kOtherWeights && !flags.trust_card) {
    std::fprintf(stderr,
                 "hellocnn-convert: warning: wrote no model card: the SHA-256 in %s is of other "
                 "weights than %s; if the card is right nevertheless, give --trust-card\n",
                 from.c_str(), flags.in.c_str());
  } else if (!flags.force && std::filesystem::exists(to, error)) {
    std::printf("kept %s, which is there already; --force replaces it\n", to.c_str());
  } else {
    if (absl::Status status = CopyCard(flags.in, flags.out); !status.ok()) {
      return Fail(std::string(status.message()));
    }
    std::printf("wrote %s, with the SHA-256 of %s\n", to.c_str(), flags.out.c_str());
  }
  return 0;
}

int Main(const Flags& flags) {
  std::vector<std::string> notes;
  const absl::StatusOr<Weights> weights = LoadWeightFile(flags.in, &notes);
  if (!weights.ok()) return Fail(std::string(weights.status().message()));
  for (const std::string& note : notes) std::printf("%s\n", Printable(note).c_str());
  // Before the weights are written, which may be in the place of those that the card is of.
  const absl::StatusOr<CardMatch> card = MatchCard(flags.in);
  if (!card.ok() && flags.trust_card) return Fail(std::string(card.status().message()));
  std::error_code error;
  if (!flags.force && std::filesystem::exists(flags.out, error)) {
    return Fail(flags.out + ": is there already; --force replaces it");
  }
  if (absl::Status status = SaveWeightFile(*weights, flags.out); !status.ok()) {
    return Fail(std::string(status.message()));
  }
  std::printf("read %s: %zu tensors, %jd values; wrote %s\n", flags.in.c_str(),
              weights->tensors().size(),
              static_cast<std::intmax_t>(TotalParameters(weights->classes())), flags.out.c_str());
  return WriteCard(flags, card);
}

}  // namespace
}  // namespace hellocnn

int main(int argc, char** argv) {
  hellocnn::OpenStandardDescriptors();
  hellocnn::ExitWhenOutOfMemory("hellocnn-convert", "raise the limit of memory");
  CLI::App app(
      "Reads HelloCNN's weights, from PyTorch, torch.export, ONNX or safetensors, and writes them "
      "in another format. A model card beside the weights is copied, with the SHA-256 of the new "
      "file.",
      "hellocnn-convert");
  hellocnn::Flags flags;
  app.footer(hellocnn::kExamples);
  app.set_version_flag("--version", hellocnn::kVersion);
  app.add_option("IN", flags.in, "Weight file to read; its format is told by its content")
      ->required();
  app.add_option("OUT", flags.out,
                 "Weight file to write; .pt at its end makes it a state_dict, as torch.save writes "
                 "it, and .safetensors makes it safetensors")
      ->required()
      ->check(hellocnn::CheckEnding);
  app.add_flag("--force", flags.force, "Replace OUT, and a model card beside it, if there already");
  app.add_flag("--trust-card", flags.trust_card,
               "Take the model card beside IN although its SHA-256 is of other weights");
  if (const std::optional<int> code = hellocnn::ParseCommandLine(app, argc, argv)) return *code;
  return hellocnn::Main(flags);
}
