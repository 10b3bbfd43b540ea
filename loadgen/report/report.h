// What was asked for and what came of it: everything that any form of a report is made of.
#ifndef HELLOCNN_LOADGEN_REPORT_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "loadgen/run/run.h"
#include "loadgen/run/server_view.h"

namespace hellocnn::load {

// What was asked for, the same in all runs of a report.
struct Setup {
  std::string target;
  std::string model;                   // "mnist/1"
  std::string arrivals = "closed";     // or "constant", "poisson", "ramp" or "recorded"
  std::string mode = "unary";          // or "stream"
  std::string pixel_format = "gray8";  // or "float32"
  std::string data;                    // folder; empty: generated
  std::string send_times;              // file of recorded arrivals
  int images_per_request = 1;
  int connections = 1;
  int threads = 1;
  int most_in_flight = 4096;                  // open loop
  absl::Duration timeout = absl::Seconds(5);  // of each request
  absl::Duration warm_up = absl::Seconds(1);
  std::uint64_t seed = 1;
  std::int64_t started_at = 0;  // seconds since 1970
};

struct Run {
  int concurrency = 0;  // closed loop
  double rate = 0;      // open loop: wanted requests a second; 0 for recorded ones
  Outcome outcome;
  std::optional<ServerView> server;  // with --server-metrics
  std::string verdict;  // of a search for the highest rate: empty, or why this rate is too high
};

// By how much the client's mean time for a request, from its sending, is longer than the server's
// from receiving to answering it: the network and both sides' gRPC. Both with the warm-up. nullopt:
// the server doesn't tell, or nothing was answered.
std::optional<double> NetworkSeconds(const Run& run);

// What a search for the highest rate came to.
struct Search {
  std::string slo;
  std::optional<double> best;  // nullopt: none of the rates that were tried
};

struct Report {
  Setup setup;
  std::vector<Run> runs;  // at least one
  std::optional<Search> search;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_REPORT_H_
