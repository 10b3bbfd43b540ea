#include "hellocnn/formats/convert_card.h"

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/formats/checksum.h"
#include "hellocnn/model_card.h"

namespace hellocnn {
namespace {

namespace fs = std::filesystem;

std::string FolderOf(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

// Copies the golden images to another folder.
absl::Status CopyGolden(const std::string& from, const std::string& to, const std::string& name) {
  constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  const std::string source = absl::StrCat(from, "/", name);
  const std::string target = absl::StrCat(to, "/", name);
  std::error_code error;
  if (fs::equivalent(source, target, error)) return absl::OkStatus();
  absl::StatusOr<std::string> images = ReadFileStart(source, kMaxBytes + 1);
  if (!images.ok()) return images.status();
  if (images->size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, ": is larger than ", kMaxBytes, " bytes; wanted golden images"));
  }
  return ReplaceFile(target, *images);
}

}  // namespace

std::string CardPath(const std::string& path) {
  return (fs::path(path).parent_path() / "model_card.json").string();
}

absl::StatusOr<CardMatch> MatchCard(const std::string& in) {
  std::error_code error;
  if (!fs::exists(CardPath(in), error)) return CardMatch::kNoCard;
  const absl::StatusOr<ModelCard> card = LoadModelCard(FolderOf(in));
  if (!card.ok()) return card.status();
  if (card->weights != fs::path(in).filename().string()) return CardMatch::kNoCard;
  if (card->weights_sha256.empty()) return CardMatch::kTheseWeights;
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(in);
  if (!sha256.ok()) return sha256.status();
  return *sha256 == card->weights_sha256 ? CardMatch::kTheseWeights : CardMatch::kOtherWeights;
}

absl::Status CopyCard(const std::string& in, const std::string& out) {
  constexpr std::size_t kMaxCardBytes = std::size_t{1} << 20;
  // Checked first, so that the parser below meets nothing that is too large or too deep.
  const absl::StatusOr<ModelCard> card = LoadModelCard(FolderOf(in));
  if (!card.ok()) return card.status();
  const absl::StatusOr<std::string> text = ReadFileStart(CardPath(in), kMaxCardBytes);
  if (!text.ok()) return text.status();
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(out);
  if (!sha256.ok()) return sha256.status();
  auto json = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(CardPath(in), ": has changed meanwhile"));
  }
  json["weights"] = fs::path(out).filename().string();
  json[kWeightsSha256] = *sha256;
  if (card->golden.has_value()) {
    const std::string& name = card->golden->images;
    if (absl::Status status = CopyGolden(FolderOf(in), FolderOf(out), name); !status.ok()) {
      return status;
    }
  }
  return ReplaceFile(CardPath(out), json.dump(2) + "\n");
}

}  // namespace hellocnn
