#include "cli/commands/load_options.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "cli/commands/mending.h"
#include "cli/commands/model_option.h"
#include "loadgen/run/sweep.h"

namespace hellocnn::cli {

void AddDuration(CLI::App& command, const std::string& name, absl::Duration& duration,
                 bool may_be_zero, const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&duration, may_be_zero, name](const std::string& text) {
            if (!absl::ParseDuration(text, &duration)) {
              throw CLI::ValidationError(
                  name, "'" + text +
                            "' is not a duration; wanted is a number with a unit, such as 500ms, "
                            "5s or 2m");
            }
            if (duration < absl::ZeroDuration() || duration > absl::Hours(24) ||
                (duration == absl::ZeroDuration() && !may_be_zero)) {
              throw CLI::ValidationError(
                  name, text + " is not within " + (may_be_zero ? "0" : "more than 0") + " to 24h");
            }
          },
          help)
      ->type_name("DURATION");
}

CLI::Option& AddSlo(CLI::App& command, std::optional<load::Slo>& slo, const std::string& help) {
  return *command
              .add_option_function<std::string>(
                  "--slo",
                  [&slo](const std::string& text) {
                    absl::StatusOr<load::Slo> parsed = load::Slo::Parse(text);
                    if (!parsed.ok()) {
                      throw CLI::ValidationError("--slo", std::string(parsed.status().message()));
                    }
                    slo = *std::move(parsed);
                  },
                  help)
              ->type_name("LIMIT");
}

namespace {

void AddSweep(CLI::App& command, const std::string& name, std::vector<double>& values,
              double largest, bool whole, const std::string& help) {
  command
      .add_option_function<std::string>(
          name,
          [&values, largest, whole, name](const std::string& text) {
            const absl::StatusOr<std::vector<double>> sweep = load::ParseSweep(text, largest);
            if (!sweep.ok()) {
              throw CLI::ValidationError(name, std::string(sweep.status().message()));
            }
            for (const double value : *sweep) {
              if (whole && value != std::floor(value)) {
                throw CLI::ValidationError(
                    name, absl::StrCat("'", text, "' makes ", value, "; wanted are whole numbers"));
              }
            }
            values = *sweep;
          },
          help)
      ->type_name("N|SWEEP");
}

void AddLoadShape(CLI::App& command, LoadOptions& options) {
  command.option_defaults()->group("Load");
  AddSweep(
      command, "--concurrency", options.concurrency, 65536, /*whole=*/true,
      "closed loop: requests in flight, or several numbers in turn as 1:64:x2 or 8:32:+8; 8 by "
      "default");
  AddSweep(command, "--rate", options.rates, load::kMostRate, /*whole=*/false,
           "open loop: requests a second, or several numbers in turn as 1000:5000:+1000");
  command
      .add_option("--arrivals", options.arrivals,
                  "open loop: constant or poisson gaps, or a file of send times in seconds, one a "
                  "line, which needs no --rate")
      ->type_name("KIND|FILE")
      ->capture_default_str();
  command
      .add_option("--ramp-from", options.ramp_from,
                  "open loop: begin with this rate and change it in a straight line, over warm-up "
                  "and --duration, to --rate")
      ->check(CLI::Range(0.0, load::kMostRate))
      ->type_name("N");
  command
      .add_option("--max-in-flight", options.setup.most_in_flight,
                  "open loop: the most requests in flight; others are held back, and their latency "
                  "counts from when they were due")
      ->check(CLI::Range(1, 65536))
      ->type_name("N")
      ->capture_default_str();
  command.add_option("--connections", options.setup.connections, "connections to the server")
      ->check(CLI::Range(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--threads", options.setup.threads,
                  "threads that work on connections, each with its share; an open loop has as many "
                  "again that send")
      ->check(CLI::Range(1, 256))
      ->type_name("N")
      ->capture_default_str();
  command.add_flag("--find-max-rate", options.find_max_rate,
                   "search for the highest rate that keeps --slo, beginning with --rate or 100");
  AddSlo(command, options.slo,
         "limit of latency for --find-max-rate, such as p99=5ms, mean=1ms or max=1s");
}

void AddRequests(CLI::App& command, LoadOptions& options) {
  command.option_defaults()->group("Requests");
  command
      .add_option("--images-per-request", options.setup.images_per_request,
                  "images in each request")
      ->check(CLI::Range(1, 65536))
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--mode", options.setup.mode,
                  "unary: a call for each request; stream: one stream for each connection")
      ->check(CLI::IsMember({"unary", "stream"}))
      ->type_name("MODE")
      ->capture_default_str();
  command
      .add_option("--priority", options.setup.priority,
                  "normal, or low for requests that let others go first")
      ->check(CLI::IsMember({"normal", "low"}))
      ->type_name("PRIORITY")
      ->capture_default_str();
  AddModelOptions(command, options.setup.wanted_model);
  command
      .add_option(
          "--pixel-format", options.setup.pixel_format,
          "gray8, a byte for each pixel, or float32, four bytes, normalised by this program")
      ->check(CLI::IsMember({"gray8", "float32"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command
      .add_option("--data", options.setup.data,
                  "folder of MNIST's t10k IDX files, whose labels are compared with the responses; "
                  "generated images by default")
      ->type_name("DIR");
  AddMendingOptions(command, options.setup.mending);
  command
      .add_option("--seed", options.setup.seed, "seed of generated images and of poisson arrivals")
      ->type_name("N")
      ->capture_default_str();
  AddDuration(command, "--deadline", options.deadline, false,
              "time limit for each request; that of --timeout by default");
}

void AddLength(CLI::App& command, LoadOptions& options) {
  command.option_defaults()->group("Length");
  AddDuration(command, "--duration", options.duration, false,
              "how long to measure; 10s by default, if there is no --requests");
  command
      .add_option("--requests", options.requests,
                  "how many requests to measure; with --duration, the one that ends first counts")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 50))
      ->type_name("N");
  AddDuration(command, "--warm-up", options.setup.warm_up, true,
              "load before the measurement, which does not count; 1s by default");
  AddDuration(
      command, "--window", options.window, false,
      "length of the windows that judge steadiness and that plots show; by default a tenth of "
      "--duration, at most 1s");
  command
      .add_option_function<std::string>(
          "--steady-by",
          [&options](const std::string& latency) {
            options.steady_by = latency == "p99" ? load::SteadyBy::kP99 : load::SteadyBy::kP50;
          },
          "latency that must be steady, besides the rate, over the last three windows")
      ->check(CLI::IsMember({"p50", "p99"}))
      ->type_name("PERCENTILE")
      ->default_str("p50");
  command.add_flag("--until-steady", options.until_steady,
                   "end as soon as it is steady, after --duration at the latest");
}

void AddOutput(CLI::App& command, LoadOptions& options) {
  command.option_defaults()->group("Output");
  command
      .add_option(
          "--output", options.output,
          "text for people, json in one document, csv with a line for each run, or hgrm with "
          "latency percentiles in ms")
      ->check(CLI::IsMember({"text", "json", "csv", "hgrm"}))
      ->type_name("FORMAT")
      ->capture_default_str();
  command.add_option("--html", options.html, "also write a self-contained page with plots")
      ->type_name("FILE");
  command
      .add_option(
          "--server-metrics", options.server_metrics,
          "URL of the server's metrics, such as http://127.0.0.1:9464/metrics, to report beside "
          "what the generator sees")
      ->type_name("URL");
  command
      .add_option("--prometheus-listen", options.prometheus_listen,
                  "serve the generator's own metrics on http://HOST:PORT/metrics while it runs")
      ->type_name("HOST:PORT");
}

}  // namespace

std::vector<double> LoadOptions::sweep() const {
  if (recorded()) return {0};
  return open_loop() ? rates : concurrency;
}

void AddLoadOptions(CLI::App& command, LoadOptions& options) {
  const std::string group = command.option_defaults()->get_group();
  AddLoadShape(command, options);
  AddRequests(command, options);
  AddLength(command, options);
  AddOutput(command, options);
  command.option_defaults()->group(group);  // restores the group of options that others add
}

void CheckLoadOptions(const CLI::App& command, const LoadOptions& options) {
  if (options.find_max_rate != options.slo.has_value()) {
    throw CLI::ValidationError("--find-max-rate", "and --slo need each other");
  }
  if (options.find_max_rate && (options.rates.size() > 1 || options.recorded())) {
    throw CLI::ValidationError("--find-max-rate", "begins with one --rate and chooses the others");
  }
  if (command.count("--concurrency") > 0 && options.open_loop()) {
    throw CLI::ValidationError("--concurrency",
                               "is for a closed loop, --rate and --arrivals for an open one");
  }
  if (options.recorded() && !options.rates.empty()) {
    throw CLI::ValidationError("--rate", "the file of --arrivals says when to send");
  }
  if (command.count("--arrivals") > 0 && !options.open_loop()) {
    throw CLI::ValidationError("--arrivals", options.arrivals + " needs --rate");
  }
  if (command.count("--max-in-flight") > 0 && !options.open_loop()) {
    throw CLI::ValidationError("--max-in-flight", "is for an open loop; see --concurrency");
  }
  if (options.ramp_from.has_value() && (options.rates.empty() || options.find_max_rate ||
                                        options.requests > 0 || options.arrivals != "constant")) {
    throw CLI::ValidationError("--ramp-from",
                               "needs --rate, constant arrivals and a --duration, without "
                               "--requests and --find-max-rate");
  }
  if ((options.setup.mending.invert || options.setup.mending.transpose) &&
      options.setup.data.empty()) {
    throw CLI::ValidationError(options.setup.mending.invert ? "--invert" : "--transpose",
                               "is for the images of --data");
  }
  if (options.setup.threads > options.setup.connections) {
    throw CLI::ValidationError(
        "--threads", absl::StrCat("is ", options.setup.threads, " and --connections ",
                                  options.setup.connections, "; each thread needs a connection"));
  }
  constexpr absl::Duration kInterval = absl::FromChrono(load::kInterval);
  if (absl::Trunc(options.window, kInterval) != options.window) {
    throw CLI::ValidationError(
        "--window", absl::FormatDuration(options.window) + "; wanted are whole tenths of a second");
  }
  if (options.until_steady && options.duration == absl::ZeroDuration() &&
      (options.requests > 0 || options.recorded())) {
    throw CLI::ValidationError("--until-steady", "needs a --duration, after which it ends anyhow");
  }
  if (options.duration > absl::ZeroDuration() &&
      load::kSteadyWindows * options.window > options.duration) {
    throw CLI::ValidationError("--window", "must fit into --duration three times");
  }
  if (options.output == "hgrm" && (options.find_max_rate || options.sweep().size() > 1)) {
    throw CLI::ValidationError("--output", "hgrm is of one measurement, not of many");
  }
}

}  // namespace hellocnn::cli
