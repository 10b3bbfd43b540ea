// Model cards. Input: model_card.json.
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "hellocnn/model_card.h"

namespace hellocnn::fuzz {
namespace {

// A directory whose model_card.json is a file in memory.
struct CardDirectory {
  CardDirectory() {
    Require(symlink(file.path().c_str(), (directory.path() + "/model_card.json").c_str()) == 0,
            "symlink failed");
  }

  MemoryFile file;
  ScratchDirectory directory;
};

std::string Write(const ModelCard& card) {
  nlohmann::json json = {{"name", card.name},
                         {"version", card.version},
                         {"weights", card.weights},
                         {"class_labels", card.class_labels},
                         {"preprocessing",
                          {{"content_size", card.content_size},
                           {"padding", card.padding},
                           {"mean", card.normalization.mean},
                           {"standard_deviation", card.normalization.standard_deviation}}}};
  if (card.test_accuracy.has_value()) json["test_accuracy"] = *card.test_accuracy;
  return json.dump();
}

void CheckCard(const ModelCard& card) {
  for (const std::string* text : {&card.name, &card.version, &card.weights}) {
    Require(!text->empty() && text->find('\0') == std::string::npos, "an empty text or a NUL");
  }
  Require(card.weights.find('/') == std::string::npos && card.weights != "..", "another folder");
  std::set<std::string> labels;
  for (const std::string& label : card.class_labels) {
    Require(!label.empty() && labels.insert(label).second, "an empty label, or one twice", label);
  }
  const double accuracy = card.test_accuracy.value_or(0);
  Require(accuracy >= 0 && accuracy <= 1, "an impossible accuracy");
  Require(card.content_size >= 1 && card.padding >= 0 &&
              card.content_size + 2 * card.padding == kImageSide,
          "impossible sizes");
  Require(card.normalization.standard_deviation > 0, "an impossible deviation");
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  static auto* const place = new fuzz::CardDirectory();
  place->file.Write(fuzz::AsString(data, size));
  const absl::StatusOr<ModelCard> card = LoadModelCard(place->directory.path());
  if (!card.ok()) {
    fuzz::RequireGoodError(card.status(), place->directory.path() + "/model_card.json: ");
    return 0;
  }
  fuzz::CheckCard(*card);
  const std::string written = fuzz::Write(*card);
  place->file.Write(written);
  const absl::StatusOr<ModelCard> again = LoadModelCard(place->directory.path());
  fuzz::Require(again.ok(), "what was read cannot be read again", again.status().ToString());
  fuzz::Require(fuzz::Write(*again) == written, "another card is read the second time", written);
  return 0;
}
