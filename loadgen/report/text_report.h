// Writes a report for people. Pure.
#ifndef HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

// Returns all details of one run, or a table with a line for each of several runs.
std::string ToText(const Report& report);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_
