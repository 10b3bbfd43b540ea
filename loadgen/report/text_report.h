// A report for people. Pure.
#ifndef HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

// The whole of one run, or a table with a line for each of many.
std::string ToText(const Report& report);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_TEXT_REPORT_H_
