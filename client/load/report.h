// What a measurement says, for people and for programs. Pure functions.
#ifndef HELLOCNN_CLIENT_LOAD_REPORT_H_
#define HELLOCNN_CLIENT_LOAD_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/load/run.h"
#include "client/load/text.h"

namespace hellocnn::load {

// What was asked for, the same in all runs of a report.
struct Setup {
  std::string target;
  std::string model;     // "mnist/1"
  std::string arrivals;  // "closed", "constant", "poisson", "ramp" or "recorded"
  std::string mode;      // "unary" or "stream"
  std::string pixel_format;
  std::string data;  // folder; empty: generated
  int images_per_request = 1;
  int connections = 1;
  int threads = 1;
  int most_in_flight = 0;  // open loop
  double warm_up_seconds = 0;
  double timeout_seconds = 0;
  std::uint64_t seed = 0;
  std::int64_t started_at = 0;  // seconds since 1970
};

struct Run {
  int concurrency = 0;  // closed loop
  double rate = 0;      // open loop: wanted requests a second; 0 for recorded ones
  Outcome outcome;
  std::string verdict;  // of a search for the highest rate: empty, or why this rate is too high
};

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

// The whole of one run, or a table with a line for each of many.
std::string ToText(const Report& report);
std::string ToJson(const Report& report);
// A header, and a line for each run.
std::string ToCsv(const Report& report);
// Latency in milliseconds in the text form of HdrHistogram's percentile distribution, which its
// plotters read.
std::string ToHgrm(const Histogram& latency);

}  // namespace hellocnn::load

#endif  // HELLOCNN_CLIENT_LOAD_REPORT_H_
