// Writes what `hellocnn classify` found, image by image.
#ifndef HELLOCNN_CLI_COMMANDS_CLASSIFY_REPORT_H_
#define HELLOCNN_CLI_COMMANDS_CLASSIFY_REPORT_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "cli/commands/classification.h"
#include "hellocnn/client/client.h"

namespace hellocnn::cli {

enum class ClassifyFormat {
  kText,    // the picture and the likeliest classes
  kJson,    // one document
  kNdjson,  // a JSON object in each line
  kCsv,     // a line for each image, with a header
};

// Writes to standard output. Takes no memory for results that have
// been written, except for the errors of kJson, which end the document. Thread-compatible.
class ClassifyReport {
 public:
  virtual ~ClassifyReport() = default;

  // Writes one result.
  virtual void Add(const ImageResult& result) = 0;
  // Writes the end, after all results.
  virtual void Finish() {}
};

// `model` must outlive the report. `top` classes of each image are written. `complain` is told of
// images that could not be classified, for people to read, by kText and kJson.
std::unique_ptr<ClassifyReport> MakeClassifyReport(
    ClassifyFormat format, int top, const std::string& server, const client::ModelInfo& model,
    std::function<void(const absl::Status&)> complain);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_CLASSIFY_REPORT_H_
