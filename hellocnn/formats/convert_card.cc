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
  if (const auto card = LoadModelCard(FolderOf(in)); !card.ok()) return card.status();
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
  return ReplaceFile(CardPath(out), json.dump(2) + "\n");
}

}  // namespace hellocnn
