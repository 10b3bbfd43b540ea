// hellocnn-convert: converts weight files from one format to another.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/version.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr char kExamples[] =
    "Examples:\n"
    "  hellocnn-convert models/mnist/1/weights.pt weights.safetensors\n"
    "  hellocnn-convert --force weights.safetensors weights.pt\n"
    "\n"
    "Exit codes: 0 fine, 1 failed, 2 wrong usage.";

struct Flags {
  std::string in;
  std::string out;
  bool force = false;
};

int Fail(const std::string& message) {
  std::fprintf(stderr, "hellocnn-convert: %s\n", message.c_str());
  return 1;
}

std::string CheckEnding(const std::string& path) {
  if (HasWeightFileEnding(path)) return "";
  return path + " does not tell the format; wanted a name that ends in .pt or .safetensors";
}

int Main(const Flags& flags) {
  const absl::StatusOr<Weights> weights = LoadWeightFile(flags.in);
  if (!weights.ok()) return Fail(std::string(weights.status().message()));
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
  return 0;
}

}  // namespace
}  // namespace hellocnn

int main(int argc, char** argv) {
  CLI::App app(
      "Reads HelloCNN's weights, from a PyTorch state_dict, TorchScript or safetensors, and writes "
      "them in another format.",
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
  app.add_flag("--force", flags.force, "Replace OUT if it is there already");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return hellocnn::Main(flags);
}
