#include "server/config/options.h"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/cpu_quota.h"
#include "base/installed.h"
#include "base/option_limits.h"
#include "base/shown.h"
#include "base/version.h"
#include "server/config/option_row.h"
#include "server/config/reference.h"
#include "server/config/sources.h"
#include "server/config/version_policy.h"
#include "server/tls/client_names.h"

namespace hellocnn::server {
namespace {

// The folder that the documents use, as in the source tree, or where the model was installed.
std::string DefaultModel() {
  const std::string here = Options().model;
  const std::string installed = InstalledData(here);
  const auto has_card = [](const std::string& folder) {
    std::error_code error;
    return std::filesystem::exists(std::filesystem::path(folder) / "model_card.json", error);
  };
  return !has_card(here) && has_card(installed) ? installed : here;
}

constexpr char kOriginCharacters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

absl::Status CheckPolicy(const std::string& text) { return VersionPolicy::Parse(text).status(); }

absl::Status CheckOrigin(const std::string& text) {
  if (text == "off" || text == "*") return absl::OkStatus();
  const std::size_t host = text.find("://") + 3;
  const bool is_origin = (text.starts_with("http://") || text.starts_with("https://")) &&
                         host < text.size() &&
                         text.find_first_not_of(kOriginCharacters, host) == std::string::npos;
  return is_origin ? absl::OkStatus()
                   : absl::InvalidArgumentError("wanted a scheme and a host, without a path");
}

absl::Status CheckClientNames(const std::string& text) { return ClientNames::Parse(text).status(); }

std::vector<std::string> PortsIn(const std::string& text) { return absl::StrSplit(text, ','); }

absl::Status CheckTlsPorts(const std::string& text) {
  std::set<std::string> seen;
  for (const std::string& port : PortsIn(text)) {
    const bool is_known = port == "grpc" || port == "http" || port == "metrics";
    if (!is_known || !seen.insert(port).second) {
      return absl::InvalidArgumentError("wanted each of grpc, http and metrics at most once");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckName(const std::string& text) {
  return text.empty() ? absl::InvalidArgumentError("wanted a name") : absl::OkStatus();
}

// The one place where options are stated; see options.h. In the order in which they are documented.
OptionRows Table() {
  static const auto* const kTable = new std::vector<OptionRow>{
      OptionRow{"Addresses", "listen", Address{.member = &Options::listen, .or_unix = true},
                "The address for gRPC.",
                "Port 0 picks a free port. 0.0.0.0 is every IPv4 address of the machine, [::] is "
                "every address, and a name is its first IPv4 address. With unix:/path, clients on "
                "the same machine connect to that file. The umask decides who may."},
      OptionRow{"Addresses", "transport", Choice{&Options::transport, {"http2", "grpc"}},
                "What carries the calls.",
                "The value http2 is the server's own transport, on libnghttp2, which bounds what "
                "clients can take. The value grpc is gRPC's own server, the reference."},
      OptionRow{"Addresses", "reflection", Choice{&Options::reflection, {"on", "off"}},
                "Whether clients may ask for the services and their messages.",
                "Tools such as grpcurl and ghz then need no proto files."},
      OptionRow{
          "Addresses", "http-listen", Address{&Options::http_listen, /*or_off=*/true},
          "The address for HTTP: JSON, pictures, and a page to draw digits on.",
          "The address is understood as in --listen. The port uses TLS if there is a certificate; "
          "see --tls-ports."},
      OptionRow{"Addresses", "http-cors-origin",
                Text{.member = &Options::http_cors_origin,
                     .check = CheckOrigin,
                     .range = "an origin such as https://example.org, * or off",
                     .placeholder = "ORIGIN"},
                "Whose pages in browsers may use the HTTP port.",
                "With off, only the server's own page may. The value * is everybody's."},
      OptionRow{"Addresses", "metrics-listen", Address{&Options::metrics_listen, /*or_off=*/true},
                "The HTTP address for Prometheus, probes and the status page.",
                "The address is understood as in --listen. With off there is no such port, and "
                "nothing is counted. The port uses TLS if --tls-ports names it."},
      OptionRow{"Addresses", "metrics", Choice{&Options::metrics, {"on", "off"}},
                "Whether the server counts what it does.",
                "With off, the response of /metrics is 404. The probes and the status page of "
                "--metrics-listen still work."},
      OptionRow{
          "Addresses", "probe-listen", Address{&Options::probe_listen, /*or_off=*/true},
          "The HTTP address for probes alone: /livez and /readyz, never with TLS.",
          "The address is understood as in --listen. It is for a kubelet, which has no client "
          "certificate."},

      OptionRow{
          "Model and engine", "model",
          Folder{.member = &Options::model,
                 .default_here = DefaultModel,
                 .default_in_words = "models/mnist/2, or the installed model if that is not there"},
          "A weight file, or the folder of a version, a model or a repository.",
          "A file is weights without a card. A folder with model_card.json and the weights is a "
          "version. A folder of versions whose names are numbers is a model. A folder of models is "
          "a repository."},
      OptionRow{"Model and engine", "model-versions",
                Text{.member = &Options::model_versions,
                     .check = CheckPolicy,
                     .range = "latest, latest:N, all, or numbers such as 1,4",
                     .placeholder = "VERSIONS"},
                "Which versions of each model are served.",
                "The value latest is the highest version that can be served, and latest:N are the "
                "N highest."},
      OptionRow{"Model and engine", "default-model",
                Text{.member = &Options::default_model,
                     .check = CheckName,
                     .range = "the name of a model, or auto",
                     .placeholder = "NAME"},
                "The model for requests that name none.",
                "With auto, it is the first, in order of name, of the models that are served at "
                "the start."},
      OptionRow{
          "Model and engine", "model-poll-interval",
          TimeSpan{.member = &Options::model_poll_interval,
                   .low = absl::Milliseconds(10),
                   .high = absl::Hours(1),
                   .or_zero = true,
                   .example = "1s"},
          "How often the server polls the folders of models, or 0s for never.",
          "SIGHUP makes it poll at once. A version is loaded when two polls in a row find the "
          "same files."},
      OptionRow{
          "Model and engine", "rollback-window",
          TimeSpan{.member = &Options::rollback_window,
                   .low = absl::Milliseconds(1),
                   .high = absl::Hours(24 * 7),
                   .or_zero = true,
                   .example = "10m"},
          "How long a version stays loaded after a higher one has replaced it, or 0s for not at "
          "all.",
          "It can then take over again without being loaded. Of each model, one version is kept."},
      OptionRow{"Model and engine", "model-control", Choice{&Options::model_control, {"off", "on"}},
                "Whether clients may roll models back and make the server poll the folders.",
                "With on, every client that reaches the port may, or with --access-file those with "
                "the right admin. `hellocnn models rollback` needs "
                "it."},
      OptionRow{
          "Model and engine", "engine",
          Choice{&Options::engine, {"auto", "simd", "torch", "torch-eager"}},
          "The engine that computes.",
          "The value auto takes the fastest engine that agrees with the network in double "
          "precision. A named "
          "engine that does not agree is rejected. The engines torch and torch-eager, which "
          "runs the modules as written, load LibTorch. They need hellocnn-torch.so, which the "
          "slim image does not have."},
      OptionRow{"Model and engine", "allow-degenerate-model",
                Choice{&Options::allow_degenerate_model, {"off", "on"}},
                "Whether to serve a model that gives every image the same class.",
                "Such a model is most often untrained. With off, the server does not start with "
                "it. The images are those that verify the engine."},
      OptionRow{"Model and engine", "threads",
                WholeNumber{.member = &Options::threads,
                            .low = 1,
                            .high = kMostThreads,
                            .unit = "threads",
                            .default_here = GrantedCpus,
                            .default_in_words = "the CPUs that the cgroup grants"},
                "The number of worker threads.", ""},

      OptionRow{"Batching and queue", "max-batch-size",
                WholeNumber{.member = &Options::max_batch_size,
                            .low = 1,
                            .high = kLargestBatch,
                            .unit = "images"},
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
                         .high = kLongestQueueDelay,
                         .example = "200us"},
                "How long an idle worker waits for a batch to fill.", ""},
      OptionRow{"Batching and queue", "queue-policy",
                Choice{&Options::queue_policy, {"fair", "fifo"}}, "Who is next if requests wait.",
                "With fair, callers take turns, and requests of low priority let others go first. "
                "A caller is who --access-file says it is, or else a client certificate or an IP "
                "address. With fifo, it is first come, first served, whoever it is."},
      OptionRow{"Batching and queue", "max-images-per-request",
                WholeNumber{.member = &Options::max_images_per_request,
                            .low = 1,
                            .high = 500000,  // a message has at most 2 GiB, and an image 4 KiB
                            .high_option = &Options::queue_capacity,
                            .unit = "images"},
                "The most images in one request.",
                "A request with more images fails with INVALID_ARGUMENT."},

      OptionRow{"Connections and shutdown", "drain-delay",
                TimeSpan{.member = &Options::drain_delay,
                         .low = absl::ZeroDuration(),
                         .high = absl::Hours(1),
                         .example = "5s"},
                "How long calls are still served after SIGTERM.",
                "In this time balancers and clients notice that the server says NOT_SERVING, and "
                "go elsewhere. The default is what the endpoints of Kubernetes may need; HAProxy "
                "and Envoy, as in deploy/balancer, need a second. Another signal ends the delay, "
                "and SIGINT has none."},
      OptionRow{"Connections and shutdown", "drain-timeout",
                TimeSpan{.member = &Options::drain_timeout,
                         .low = absl::ZeroDuration(),
                         .high = absl::Hours(1),
                         .example = "30s"},
                "How long accepted requests may take after that delay.",
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

      OptionRow{"Encryption", "tls-cert", OptionalFile{&Options::tls_cert},
                "The certificate of the server in PEM, with which it speaks TLS.",
                "Certificates that lead from it to its authority follow it in the file. The server "
                "reads the files again when they have changed, and keeps what it has if they are "
                "bad.",
                /*http2_only=*/true},
      OptionRow{"Encryption", "tls-key", OptionalFile{&Options::tls_key},
                "The private key of the certificate in PEM.", "It must have no passphrase.",
                /*http2_only=*/true},
      OptionRow{"Encryption", "tls-client-ca", OptionalFile{&Options::tls_client_ca},
                "The authorities of client certificates in PEM.",
                "Clients without a certificate of one of them are rejected.",
                /*http2_only=*/true},
      OptionRow{
          "Encryption", "tls-client-names",
          Text{.member = &Options::tls_client_names,
               .check = CheckClientNames,
               .range = "names such as shop.example, separated by commas, or off",
               .placeholder = "NAMES"},
          "The clients that may connect, by the names in their certificates.",
          "A name is a DNS name, a URI, an e-mail address or an IP address of the certificate. "
          "A certificate that has none of them is rejected. The option "
          "needs --tls-client-ca.",
          /*http2_only=*/true},
      OptionRow{"Encryption", "tls-ports",
                Text{.member = &Options::tls_ports,
                     .check = CheckTlsPorts,
                     .range = "some of grpc, http and metrics, separated by commas",
                     .placeholder = "PORTS"},
                "The ports that use TLS if there is a certificate.",
                "They are those of --listen, --http-listen and --metrics-listen. Other ports speak "
                "plain text.",
                /*http2_only=*/true},

      OptionRow{
          "Access", "access-file", OptionalFile{&Options::access_file},
          "The file that says who may do what, in JSON.",
          "With off, everybody may do everything. The server reads the file again when it has "
          "changed, and keeps what it has if it is bad. docs/access.md explains the file."},

      OptionRow{"Limits for clients", "max-connections",
                WholeNumber{.member = &Options::max_connections,
                            .low = 1,
                            .high = 1000000,
                            .unit = "connections"},
                "The most connections.",
                "Further connections are closed at once. Each takes a file descriptor.",
                /*http2_only=*/true},
      OptionRow{"Limits for clients", "max-connections-per-address",
                WholeNumber{.member = &Options::max_connections_per_address,
                            .low = 1,
                            .high_option = &Options::max_connections,
                            .unit = "connections"},
                "The most connections from one IP address.",
                "A proxy in front of the server is one address for all of its clients.",
                /*http2_only=*/true},
      OptionRow{"Limits for clients", "idle-timeout",
                TimeSpan{.member = &Options::idle_timeout,
                         .low = absl::Seconds(1),
                         .high = absl::Hours(24),
                         .or_zero = true,
                         .example = "30m"},
                "How long a connection without calls stays open, or 0s for ever.",
                "Clients reconnect for their next call by themselves.",
                /*http2_only=*/true},
      OptionRow{"Limits for clients", "keepalive-interval",
                TimeSpan{.member = &Options::keepalive_interval,
                         .low = absl::Seconds(1),
                         .high = absl::Hours(24),
                         .or_zero = true,
                         .example = "1m"},
                "How long a client may be silent until it is asked for a sign of life, or 0s for "
                "ever.",
                "The question is a PING of HTTP/2, which clients answer by themselves. It finds "
                "clients that are gone, and keeps NAT and load balancers from forgetting a "
                "connection. Choose less than they wait.",
                /*http2_only=*/true},
      OptionRow{"Limits for clients", "keepalive-timeout",
                TimeSpan{.member = &Options::keepalive_timeout,
                         .low = absl::Seconds(1),
                         .high = absl::Hours(1),
                         .example = "20s"},
                "How long a client may take for the sign of life.",
                "Its connection is closed after that. Idle clients on gRPC's C core, which C++ and "
                "Python have, can take 5s.",
                /*http2_only=*/true},
      OptionRow{
          "Limits for clients", "buffer-memory",
          WholeNumber{.member = &Options::buffer_memory, .low = 16, .high = 65536, .unit = "MiB"},
          "The most memory for requests and responses on their way.",
          "Calls that find none left fail with RESOURCE_EXHAUSTED, those of the greediest "
          "client first. It must hold two of the largest requests, which have "
          "--max-images-per-request images.",
          /*http2_only=*/true},

      OptionRow{"Logging", "log-level",
                Choice{&Options::log_level, {"debug", "info", "warn", "error", "off"}},
                "The least severe level that is logged to standard error.",
                "With debug, every request that is rejected or fails is logged. "
                "With info, most of many of a kind are left out."},
      OptionRow{"Logging", "log-format", Choice{&Options::log_format, {"text", "json"}},
                "How lines are written.",
                "With json, each line is an object. "
                "It has the members time, level and message, and those of its kind."},
      OptionRow{"Logging", "log-slow-requests",
                TimeSpan{.member = &Options::log_slow_requests,
                         .low = absl::Milliseconds(1),
                         .high = absl::Hours(1),
                         .or_zero = true,
                         .example = "1s"},
                "How long a request may take and not be logged as slow, or 0s for ever.", ""},
      OptionRow{"Logging", "access-log-sample",
                WholeNumber{.member = &Options::access_log_sample,
                            .low = 0,
                            .high = 1000000000,
                            .unit = "requests"},
                "Of how many requests one is logged, whatever its outcome; 0 logs none.",
                "With 1, all requests are logged."},
  };
  return *kTable;
}

// `source` is "" if it is not known; `values` is null if the value is not of the row's type.
absl::Status Reject(const OptionRow& row, absl::string_view value, absl::string_view source,
                    const Options* values) {
  const std::string from = source.empty() ? "" : absl::StrCat(" (", source, ")");
  const std::string why = values == nullptr ? "" : WhyNot(row, *values);
  return absl::InvalidArgumentError(absl::StrCat(
      "option ", row.name, from, " is \"", Shown(std::string(value)), "\"",
      why.empty() ? absl::StrCat(", wanted ", Wanted(row, Table(), values)) : ": " + why));
}

absl::Status RejectWithoutEffect(const OptionRow& row, absl::string_view source,
                                 const Options& options) {
  return absl::InvalidArgumentError(absl::StrCat(
      "option ", row.name, source.empty() ? "" : absl::StrCat(" (", source, ")"), " is \"",
      Shown(ShowValue(row, options)), "\", but the transport ", options.transport,
      " has no such option; wanted transport http2, or the default, ", ShowValue(row, Options())));
}

// Checks what options say together.
absl::Status CheckTogether(const Options& options) {
  if ((options.tls_cert == "off") != (options.tls_key == "off")) {
    return absl::InvalidArgumentError(absl::StrCat("option tls-cert is \"", Shown(options.tls_cert),
                                                   "\" and tls-key is \"", Shown(options.tls_key),
                                                   "\", wanted both or none"));
  }
  if (options.tls_client_ca != "off" && options.tls_cert == "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("option tls-client-ca is \"", Shown(options.tls_client_ca),
                     "\" and tls-cert is \"off\", wanted tls-cert and tls-key as well"));
  }
  if (options.tls_client_names != "off" && options.tls_client_ca == "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("option tls-client-names is \"", Shown(options.tls_client_names),
                     "\" and tls-client-ca is \"off\", wanted tls-client-ca as well"));
  }
  if (options.tls_ports != Options().tls_ports && options.tls_cert == "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("option tls-ports is \"", Shown(options.tls_ports),
                     "\" and tls-cert is \"off\", wanted tls-cert and tls-key as well"));
  }
  return absl::OkStatus();
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
    if (!HasEffect(Table()[i], parsed->options)) {
      return RejectWithoutEffect(Table()[i], parsed->sources[i].source, parsed->options);
    }
  }
  return CheckTogether(parsed->options);
}

}  // namespace

absl::Status Options::Validate() const {
  for (const OptionRow& row : Table()) {
    if (!IsInRange(row, *this)) return Reject(row, ShowValue(row, *this), "", this);
    if (!HasEffect(row, *this)) return RejectWithoutEffect(row, "", *this);
  }
  return CheckTogether(*this);
}

bool UsesTls(const Options& options, absl::string_view port) {
  const std::vector<std::string> ports = PortsIn(options.tls_ports);
  return std::find(ports.begin(), ports.end(), port) != ports.end();
}

absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv) {
  OptionNames names;
  for (const OptionRow& row : Table()) names.emplace_back(row.name);
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
