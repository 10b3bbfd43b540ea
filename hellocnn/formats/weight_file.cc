#include "hellocnn/formats/weight_file.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/formats/onnx/onnx_file.h"
#include "hellocnn/formats/pytorch/pytorch_file.h"
#include "hellocnn/formats/pytorch/save_pytorch_file.h"
#include "hellocnn/formats/safetensors/safetensors_file.h"
#include "hellocnn/formats/safetensors/safetensors_index.h"
#include "hellocnn/formats/safetensors/save_safetensors_file.h"

namespace hellocnn {
namespace {

constexpr char kPytorchEnding[] = ".pt";
constexpr char kSafetensorsEnding[] = ".safetensors";
// The offset of the header of a safetensors file. At this offset, a zip archive has the compression
// method of its first record, which is never '{'.
constexpr std::size_t kHeaderAt = 8;

// Returns true for a brace and then text. At this place, the length of the header of a safetensors
// file has its highest byte, so it cannot be both.
bool BeginsLikeJson(const std::string& start) {
  return start.size() >= kHeaderAt && start.front() == '{' &&
         (absl::ascii_isprint(static_cast<unsigned char>(start[kHeaderAt - 1])) ||
          absl::ascii_isspace(static_cast<unsigned char>(start[kHeaderAt - 1])));
}

}  // namespace

absl::StatusOr<Weights> LoadWeightFile(const std::string& path, std::vector<std::string>* notes) {
  const absl::StatusOr<std::string> start = ReadFileStart(path, kHeaderAt + 1);
  if (!start.ok()) return start.status();
  if (BeginsLikeJson(*start)) return LoadSafetensorsIndex(path, notes);
  if (start->size() > kHeaderAt && (*start)[kHeaderAt] == '{') {
    return LoadSafetensorsFile(path, notes);
  }
  if (BeginsLikeOnnx(*start)) return LoadOnnxFile(path, notes);
  absl::StatusOr<Weights> weights = LoadPytorchFile(path, notes);
  if (absl::IsInvalidArgument(weights.status()) && !absl::StartsWith(*start, "PK")) {
    return absl::InvalidArgumentError(
        absl::StrCat(weights.status().message(), ", or a file of safetensors or ONNX"));
  }
  return weights;
}

absl::StatusOr<std::vector<std::string>> FilesOfWeights(const std::string& path) {
  const absl::StatusOr<std::string> start = ReadFileStart(path, kHeaderAt + 1);
  if (!start.ok()) return start.status();
  std::vector<std::string> files = {path};
  if (!BeginsLikeJson(*start)) return files;
  const absl::StatusOr<std::vector<std::string>> named = FilesOfSafetensorsIndex(path);
  if (!named.ok()) return named.status();
  files.insert(files.end(), named->begin(), named->end());
  return files;
}

bool HasWeightFileEnding(const std::string& path) {
  return absl::EndsWith(path, kPytorchEnding) || absl::EndsWith(path, kSafetensorsEnding);
}

absl::Status SaveWeightFile(const Weights& weights, const std::string& path) {
  if (absl::EndsWith(path, kPytorchEnding)) return SavePytorchFile(weights, path);
  if (absl::EndsWith(path, kSafetensorsEnding)) return SaveSafetensorsFile(weights, path);
  return absl::InvalidArgumentError(absl::StrCat(path, " ends in neither ", kPytorchEnding, " nor ",
                                                 kSafetensorsEnding, "; wanted one"));
}

}  // namespace hellocnn
