#include "server/config/options.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/cpu_quota.h"
#include "base/shown.h"
#include "base/version.h"
#include "server/config/option_row.h"
#include "server/config/reference.h"
#include "server/config/sources.h"

namespace hellocnn::server {
namespace {

// The one place where options are stated; see options.h. In the order in which they are documented.
OptionRows Table() {
  static const auto* const kTable = new std::vector<OptionRow>{
      OptionRow{"Addresses", "listen", Address{&Options::listen}, "The address for gRPC.",
                "Port 0 picks a free port."},
      OptionRow{"Addresses", "metrics-listen", Address{&Options::metrics_listen, /*or_off=*/true},
                "The HTTP address for Prometheus, probes and the status page.",
                "Port 0 picks a free port. With off there is no such port, and nothing is "
                "counted."},
      OptionRow{"Addresses", "metrics", Choice{&Options::metrics, {"on", "off"}},
                "Whether the server counts what it does.",
                "With off, /metrics answers 404. The probes and the status page of "
                "--metrics-listen still work."},

      OptionRow{"Model and engine", "model", Folder{&Options::model},
                "The folder with model_card.json and the weights.", ""},
      OptionRow{
          "Model and engine", "engine",
          Choice{&Options::engine, {"auto", "simd", "torch", "torch-eager"}},
          "The engine that computes.",
          "The value auto takes the fastest engine that agrees with the network in double "
          "precision. A named "
          "engine that does not agree is rejected. The engines torch and torch-eager, which "
          "runs the modules as written, load LibTorch. They need hellocnn-torch.so, which the "
          "slim image does not have."},
      OptionRow{"Model and engine", "threads",
                WholeNumber{.member = &Options::threads,
                            .low = 1,
                            .high = 1024,
                            .unit = "threads",
                            .default_here = GrantedCpus,
                            .default_in_words = "the CPUs that the cgroup grants"},
                "The number of worker threads.", ""},

      OptionRow{
          "Batching and queue", "max-batch-size",
          WholeNumber{.member = &Options::max_batch_size, .low = 1, .high = 1024, .unit = "images"},
          "The most images that are computed together.",
          "The server warms up every batch size before it is ready."},
      OptionRow{"Batching and queue", "queue-capacity",
                WholeNumber{.member = &Options::queue_capacity,
                            .low_option = &Options::max_batch_size,
                            .unit = "images"},
                "The most images that may wait.",
                "Requests that do not fit in the queue fail with RESOURCE_EXHAUSTED."},
      OptionRow{"Batching and queue", "max-queue-delay",
                TimeSpan{.member = &Options::max_queue_delay,
                         .low = absl::ZeroDuration(),
                         .high = absl::Seconds(1),
                         .example = "200us"},
                "How long an idle worker waits for a batch to fill.", ""},
      OptionRow{"Batching and queue", "max-images-per-request",
                WholeNumber{.member = &Options::max_images_per_request,
                            .low = 1,
                            .high = 500000,  // a message has at most 2 GiB, and an image 4 KiB
                            .high_option = &Options::queue_capacity,
                            .unit = "images"},
                "The most images in one request.",
                "A request with more images fails with INVALID_ARGUMENT."},

      OptionRow{"Connections and shutdown", "drain-timeout",
                TimeSpan{.member = &Options::drain_timeout,
                         .low = absl::ZeroDuration(),
                         .high = absl::Hours(1),
                         .example = "30s"},
                "How long accepted requests may take after SIGTERM.",
                "Requests that are not finished by then are cancelled."},
      OptionRow{
          "Connections and shutdown", "max-connection-age",
          TimeSpan{.member = &Options::max_connection_age,
                   .low = absl::Seconds(1),
                   .high = absl::Hours(24),
                   .or_zero = true,
                   .example = "5m"},
          "How long until a client is asked to reconnect, or 0s for never.",
          "The age varies by a tenth at random. Calls in flight are finished. With several servers "
          "behind one name, clients find new servers when they reconnect."},

      OptionRow{"Logging", "log-level",
                Choice{&Options::log_level, {"debug", "info", "warn", "error", "off"}},
                "The least severe level that is logged to standard error.", ""},
  };
  return *kTable;
}

// `source` is "" if it is not known.
absl::Status Reject(const OptionRow& row, absl::string_view value, absl::string_view source,
                    const Options* values) {
  const std::string from = source.empty() ? "" : absl::StrCat(" (", source, ")");
  return absl::InvalidArgumentError(absl::StrCat("option ", row.name, from, " is \"",
                                                 Shown(std::string(value)), "\", wanted ",
                                                 Wanted(row, Table(), values)));
}

ParsedOptions PrintAndExit(std::string text) {
  ParsedOptions parsed;
  parsed.action = ParsedOptions::Action::kPrintAndExit;
  parsed.text = std::move(text);
  return parsed;
}

// Sets what is given, and the defaults of the rest.
absl::Status SetOptions(const Sources& sources, ParsedOptions* parsed) {
  for (const OptionRow& row : Table()) {
    const auto given = sources.given.find(std::string(row.name));
    if (given == sources.given.end()) {
      SetDefaultHere(row, &parsed->options);
    } else if (const auto& [value, source] = given->second;
               !SetFromText(row, value, &parsed->options)) {
      return Reject(row, value, source, nullptr);
    }
  }
  for (const OptionRow& row : Table()) {
    const auto given = sources.given.find(std::string(row.name));
    if (given == sources.given.end()) LowerDefaultToBound(row, &parsed->options);
    parsed->sources.push_back({std::string(row.name), ShowValue(row, parsed->options),
                               given == sources.given.end() ? "default" : given->second.source});
  }
  for (std::size_t i = 0; i < Table().size(); ++i) {
    if (!IsInRange(Table()[i], parsed->options)) {
      const OptionSource& bad = parsed->sources[i];
      return Reject(Table()[i], bad.value, bad.source, &parsed->options);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Options::Validate() const {
  for (const OptionRow& row : Table()) {
    if (!IsInRange(row, *this)) return Reject(row, ShowValue(row, *this), "", this);
  }
  return absl::OkStatus();
}

absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv) {
  OptionNames names;
  for (const OptionRow& row : Table()) names.emplace(row.name);
  absl::StatusOr<Sources> sources = ReadSources(names, argc, argv);
  if (!sources.ok()) return sources.status();
  if (sources->request == Request::kPrintHelp) return PrintAndExit(HelpText(Table()));
  if (sources->request == Request::kPrintMarkdown) return PrintAndExit(MarkdownText(Table()));
  if (sources->request == Request::kPrintVersion) {
    return PrintAndExit(absl::StrCat("hellocnn-server ", kVersion, "\n"));
  }
  ParsedOptions parsed;
  parsed.warnings = std::move(sources->warnings);
  if (absl::Status status = SetOptions(*sources, &parsed); !status.ok()) return status;
  if (sources->request == Request::kPrintConfig) {
    parsed.action = ParsedOptions::Action::kPrintAndExit;
    parsed.text = ConfigText(parsed.sources);
  }
  return parsed;
}

}  // namespace hellocnn::server
