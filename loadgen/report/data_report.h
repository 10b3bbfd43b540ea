// A report for programs, in three forms. Pure functions.
#ifndef HELLOCNN_LOADGEN_REPORT_DATA_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_DATA_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

// The number of the format that ToJson writes and Compare reads. It grows when a reader of the last
// format would misunderstand the new one.
inline constexpr int kFormat = 1;

std::string ToJson(const Report& report);
// Returns a header line, and a line for each run.
std::string ToCsv(const Report& report);
// The parts of ToCsv, for who prints each as soon as it is known.
std::string CsvHead();
std::string CsvRow(const Report& report, const Run& run);
// Returns the latency in milliseconds in the text form of HdrHistogram's percentile distribution,
// which its plotters read. A comment says if the run was interrupted.
std::string ToHgrm(const Outcome& outcome);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_DATA_REPORT_H_
