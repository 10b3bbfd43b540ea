// A report for programs, in three forms. Pure functions.
#ifndef HELLOCNN_LOADGEN_REPORT_DATA_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_DATA_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

std::string ToJson(const Report& report);
// Returns a header line, and a line for each run.
std::string ToCsv(const Report& report);
// Returns the latency in milliseconds in the text form of HdrHistogram's percentile distribution,
// which its plotters read.
std::string ToHgrm(const Histogram& latency);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_DATA_REPORT_H_
