// Writes a report for people, in lines of at most 80 columns. Pure.
#ifndef HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

// Returns all details of one run, or a table with a line for each run and the remarks on it.
std::string ToText(const Report& report);

// The parts of the table, for who prints each as soon as it is known. Together they are
// ToText(report). The head and a row need only the settings of the report, not its runs.
std::string TableHead(const Report& report);
std::string TableRow(const Report& report, const Run& run);
std::string TableEnd(const Report& report);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_
