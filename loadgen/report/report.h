// The settings and results of runs: everything that a report is made from, in any format.
#ifndef HELLOCNN_LOADGEN_REPORT_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "hellocnn/client/client_types.h"
#include "hellocnn/data/idx.h"
#include "loadgen/run/run.h"
#include "loadgen/run/server_view.h"

namespace hellocnn::load {

// The settings that all runs of a report share.
struct Setup {
  std::string target;
  client::ModelVersion wanted_model;  // what requests name; if empty, the server's default model
  std::string model;                  // what the server chose, "mnist/1"
  std::string arrivals = "closed";    // or "constant", "poisson", "ramp" or "recorded"
  std::string mode = "unary";         // or "stream"
  std::string priority = "normal";    // or "low"
  bool tls = false;
  bool round_robin = false;            // each connection is one to every address
  std::string pixel_format = "gray8";  // or "float32"
  std::string data;                    // folder; empty: generated images
  Presentation mending;                // what is done to the images of `data`
  std::string send_times;              // file with recorded arrivals
  int images_per_request = 1;
  int connections = 1;
  int threads = 1;
  int most_in_flight = 4096;                  // open loop: most requests in flight
  absl::Duration timeout = absl::Seconds(5);  // of each request
  absl::Duration warm_up = absl::Seconds(1);
  absl::Duration duration;    // of each run after its warm-up; 0: only `requests` ends it
  std::int64_t requests = 0;  // that each run measures; 0: only `duration` ends it
  std::uint64_t seed = 1;
  std::int64_t started_at = 0;  // seconds since 1970
};

struct Run {
  int concurrency = 0;  // in a closed loop: requests in flight
  double rate = 0;      // in an open loop: wanted requests a second; 0 for recorded arrivals
  Outcome outcome;
  std::optional<ServerView> server;  // with --server-metrics
  // In a search for the highest rate, of a run that was not interrupted: empty, or why this rate is
  // too high.
  std::string verdict;
};

// Returns by how much the client's mean time of a request, from its sending, exceeds the server's.
// The server's time lasts from receiving the request to its response. The difference is the network
// and gRPC on both sides. Both means include the warm-up. Returns nullopt if the server does not
// report its time, or no request succeeded.
std::optional<double> NetworkSeconds(const Run& run);

// The result of a search for the highest rate.
struct Search {
  std::string slo;
  std::optional<double> best;  // the highest rate that has passed; nullopt: none
  bool complete = false;       // false: higher rates were still to be tried
};

struct Report {
  Setup setup;
  std::vector<Run> runs;  // at least one
  std::optional<Search> search;
  // Runs that were planned, of which an interruption leaves some out. 0 in a search.
  int planned_runs = 1;

  // Returns true if the last run was interrupted; none follows such a run.
  bool interrupted() const { return !runs.empty() && runs.back().outcome.interrupted; }
  // Returns true if it has a table with a line for each run.
  bool table() const { return search.has_value() || planned_runs > 1; }
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_REPORT_H_
