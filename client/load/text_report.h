// A report for people. Pure.
#ifndef HELLOCNN_CLIENT_LOAD_TEXT_REPORT_H_
#define HELLOCNN_CLIENT_LOAD_TEXT_REPORT_H_

#include <string>

#include "client/load/report.h"

namespace hellocnn::load {

// The whole of one run, or a table with a line for each of many.
std::string ToText(const Report& report);

}  // namespace hellocnn::load

#endif  // HELLOCNN_CLIENT_LOAD_TEXT_REPORT_H_
