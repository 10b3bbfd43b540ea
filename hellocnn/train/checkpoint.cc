#include "hellocnn/train/checkpoint.h"

#include <cstddef>
#include <cstdint>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"

namespace hellocnn {
namespace {

// Far above what the state of the largest network takes, some 8 MB.
constexpr std::size_t kMaxCheckpointBytes = std::size_t{1} << 26;

void WriteTensors(const std::string& name, const std::vector<torch::Tensor>& tensors,
                  torch::serialize::OutputArchive& archive) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    archive.write(absl::StrCat(name, i), tensors[i].detach());
  }
}

void ReadTensors(const std::string& name, torch::serialize::InputArchive& archive,
                 const std::vector<torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    torch::Tensor read;
    archive.read(absl::StrCat(name, i), read);
    if (read.sizes() != tensors[i].sizes()) throw std::runtime_error("a tensor has another shape");
    tensors[i].copy_(read);
  }
}

// Throws what LibTorch throws.
absl::Status Restore(const std::string& bytes, const std::string& path,
                     const std::string& fingerprint, RunState& state) {
  torch::serialize::InputArchive archive;
  archive.load_from(bytes.data(), bytes.size());
  c10::IValue value;
  archive.read("fingerprint", value);
  if (value.toStringRef() != fingerprint) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " was made with other settings: found \"", value.toStringRef(), "\", wanted \"",
        fingerprint, "\"; use the same settings, another --output, or --restart"));
  }
  torch::Tensor history;
  archive.read("history", history);
  for (std::int64_t i = 0; i + 1 < history.numel(); i += 2) {
    state.epochs.push_back(
        {static_cast<int>(i / 2) + 1, history[i].item<double>(), history[i + 1].item<double>()});
  }
  archive.read("best_epoch", value);
  state.best_epoch = static_cast<int>(value.toInt());
  if (state.best_epoch < 0 || static_cast<std::size_t>(state.best_epoch) > state.epochs.size()) {
    throw std::runtime_error("the best epoch is none of its epochs");
  }
  ReadTensors("weights", archive, state.weights);
  ReadTensors("average", archive, state.average);
  ReadTensors("best", archive, state.best);
  torch::serialize::InputArchive inner;
  archive.read("optimizer", inner);
  state.optimizer->load(inner);
  return absl::OkStatus();
}

}  // namespace

double RunState::best_accuracy() const {
  if (best_epoch == 0) return -1;
  return epochs.at(static_cast<std::size_t>(best_epoch) - 1).validation_accuracy;
}

absl::Status SaveCheckpoint(const RunState& state, const std::string& fingerprint,
                            const std::string& path) {
  torch::serialize::OutputArchive archive;
  archive.write("fingerprint", c10::IValue(fingerprint));
  std::vector<double> history;
  for (const EpochReport& report : state.epochs) {
    history.push_back(report.training_loss);
    history.push_back(report.validation_accuracy);
  }
  archive.write("history", torch::tensor(history, torch::kFloat64));
  archive.write("best_epoch", c10::IValue(static_cast<std::int64_t>(state.best_epoch)));
  WriteTensors("weights", state.weights, archive);
  WriteTensors("average", state.average, archive);
  WriteTensors("best", state.best, archive);
  torch::serialize::OutputArchive inner;
  state.optimizer->save(inner);
  archive.write("optimizer", inner);
  std::ostringstream bytes;
  archive.save_to(bytes);
  return ReplaceFile(path, bytes.str());
}

absl::Status LoadCheckpoint(const std::string& path, const std::string& fingerprint,
                            RunState& state) {
  const absl::StatusOr<std::string> bytes = ReadFileStart(path, kMaxCheckpointBytes);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  if (!bytes.ok()) return bytes.status();
  try {
    return Restore(*bytes, path, fingerprint, state);
  } catch (const std::exception& error) {
    // LibTorch appends where in its code it was.
    const std::string_view what = error.what();
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": is no checkpoint, or a damaged one (",
        std::string(what.substr(0, what.find('\n'))),
        "); wanted one that hellocnn-train wrote; use another --output, or --restart"));
  }
}

}  // namespace hellocnn
