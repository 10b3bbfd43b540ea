#include "cli/commands/classify_report.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/shown.h"
#include "cli/images/render.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

// Returns the message of an error, which names the file.
std::string Message(const ImageResult& result) {
  const std::string message(result.status.message());
  const std::string& file = result.source.file;
  return absl::StartsWith(message, file) ? message : absl::StrCat(file, ": ", message);
}

std::string Outcome(const ImageResult& result) {
  if (!result.status.ok()) return "error";
  switch (result.fitted.finding) {
    case client::Finding::kNothing:
      return "nothing_to_see";
    case client::Finding::kSeveral:
      return "several_digits";
    case client::Finding::kDigit:
      break;
  }
  return "digit";
}

using Complain = std::function<void(const absl::Status&)>;

Json ErrorAsJson(const ImageResult& result) {
  return {{"file", result.source.file},
          {"code", absl::StatusCodeToString(result.status.code())},
          {"message", result.status.message()}};
}

class TextReport : public ClassifyReport {
 public:
  TextReport(int top, const client::ModelInfo& model, Complain complain)
      : top_(top), model_(model), complain_(std::move(complain)), style_(StyleOf(STDOUT_FILENO)) {}

  void Add(const ImageResult& result) override {
    if (!result.status.ok()) {
      complain_(absl::Status(result.status.code(), Message(result)));
      return;
    }
    std::cout << Printable(result.source.file);
    if (result.source.total > 1) std::cout << " [" << result.source.index << "]";
    std::cout << "\n";
    if (result.fitted.finding != client::Finding::kNothing)
      std::cout << Draw(result.fitted.grey, style_);
    if (!result.prediction.has_value()) {
      std::cout << "  " << result.fitted.explanation << "\n\n";
      return;
    }
    std::cout << Bars(*result.prediction, model_.labels, top_, style_) << "  "
              << Printable(model_.name) << "/" << Printable(model_.version) << " answered in "
              << Short(result.took) << ": queue " << Short(result.timing.queue) << ", compute "
              << Short(result.timing.compute) << ", batch of " << result.timing.batch_size
              << "\n\n";
  }

 private:
  const int top_;
  const client::ModelInfo& model_;
  const Complain complain_;
  const Style style_;
};

class JsonReport : public ClassifyReport {
 public:
  // `lines`: an object in each line instead of one document.
  JsonReport(bool lines, int top, const std::string& server, const client::ModelInfo& model,
             Complain complain)
      : lines_(lines), top_(top), model_(model), complain_(std::move(complain)) {
    if (lines_) return;
    const Json head = {{"server", server},
                       {"model", {{"name", model.name}, {"version", model.version}}}};
    std::string start = load::DumpJson(head, 2);
    start.resize(start.size() - 2);  // the closing brace, which Finish writes
    std::cout << start << ",\n  \"results\": [";
  }

  void Add(const ImageResult& result) override {
    if (!result.status.ok()) {
      if (!lines_) complain_(absl::Status(result.status.code(), Message(result)));
      Json error = ErrorAsJson(result);
      if (lines_) {
        error["outcome"] = Outcome(result);
        std::cout << load::DumpJson(error, -1) << "\n";
      } else {
        errors_.push_back(std::move(error));
      }
      return;
    }
    const Json json = AsJson(result);
    if (lines_) {
      std::cout << load::DumpJson(json, -1) << "\n";
      return;
    }
    std::cout << (empty_ ? "\n    " : ",\n    ")
              << absl::StrReplaceAll(load::DumpJson(json, 2), {{"\n", "\n    "}});
    empty_ = false;
  }

  void Finish() override {
    if (lines_) return;
    std::cout << (empty_ ? "]" : "\n  ]") << ",\n  \"errors\": "
              << absl::StrReplaceAll(load::DumpJson(errors_, 2), {{"\n", "\n  "}}) << "\n}\n";
  }

 private:
  Json AsJson(const ImageResult& result) const {
    Json json = {
        {"file", result.source.file}, {"index", result.source.index}, {"outcome", Outcome(result)}};
    if (!result.prediction.has_value()) {
      json["message"] = result.fitted.explanation;
      return json;
    }
    const client::Prediction& prediction = *result.prediction;
    Json top = Json::array();
    const auto ranking = Ranking(prediction);
    for (int rank = 0; rank < std::min<int>(top_, std::ssize(ranking)); ++rank) {
      top.push_back({{"class_index", ranking[rank]},
                     {"label", model_.labels[ranking[rank]]},
                     {"probability", prediction.Probability(ranking[rank])}});
    }
    json["class_index"] = prediction.class_index;
    json["label"] = prediction.label;
    json["probability"] = prediction.Probability(prediction.class_index);
    json["top"] = std::move(top);
    if (lines_) return json;
    json["log_probabilities"] = prediction.log_probabilities;
    json["timing"] = {{"queue_seconds", absl::ToDoubleSeconds(result.timing.queue)},
                      {"compute_seconds", absl::ToDoubleSeconds(result.timing.compute)},
                      {"batch_size", result.timing.batch_size}};
    return json;
  }

  const bool lines_;
  const int top_;
  const client::ModelInfo& model_;
  const Complain complain_;
  bool empty_ = true;  // no result has been written
  Json errors_ = Json::array();
};

class CsvReport : public ClassifyReport {
 public:
  CsvReport() : terminal_(isatty(STDOUT_FILENO) == 1) {
    std::cout << "file,index,outcome,label,probability,message\n";
  }

  void Add(const ImageResult& result) override {
    std::string label;
    std::string probability;
    if (result.prediction.has_value()) {
      label = result.prediction->label;
      probability = absl::StrCat(result.prediction->Probability(result.prediction->class_index));
    }
    const std::string message =
        result.status.ok() ? result.fitted.explanation : std::string(result.status.message());
    std::cout << Field(result.source.file) << "," << result.source.index << "," << Outcome(result)
              << "," << Field(label) << "," << probability << "," << Field(message) << "\n";
  }

 private:
  // Returns `text` as RFC 4180 wants it, in quotes if it needs them. Programs want the exact text,
  // but a terminal must not obey it.
  std::string Field(const std::string& text) const {
    std::string field = terminal_ ? Printable(text) : text;
    if (field.find_first_of(",\"\r\n") == std::string::npos) return field;
    return absl::StrCat("\"", absl::StrReplaceAll(field, {{"\"", "\"\""}}), "\"");
  }

  const bool terminal_;
};

}  // namespace

std::unique_ptr<ClassifyReport> MakeClassifyReport(
    ClassifyFormat format, int top, const std::string& server, const client::ModelInfo& model,
    std::function<void(const absl::Status&)> complain) {
  switch (format) {
    case ClassifyFormat::kText:
      break;
    case ClassifyFormat::kJson:
      return std::make_unique<JsonReport>(false, top, server, model, std::move(complain));
    case ClassifyFormat::kNdjson:
      return std::make_unique<JsonReport>(true, top, server, model, std::move(complain));
    case ClassifyFormat::kCsv:
      return std::make_unique<CsvReport>();
  }
  return std::make_unique<TextReport>(top, model, std::move(complain));
}

}  // namespace hellocnn::cli
