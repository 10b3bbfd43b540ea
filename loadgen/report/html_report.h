// Writes a report as one self-contained page: inline SVG, no scripts.
#ifndef HELLOCNN_LOADGEN_REPORT_HTML_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_HTML_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

// Returns the report as HTML that is also well-formed XML. The page begins with the text of the
// report. For one run it plots latency by percentile, latency and rate over time, and the stages of
// the latency. For several runs it plots latency against rate. Pure.
std::string ToHtml(const Report& report);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_HTML_REPORT_H_
