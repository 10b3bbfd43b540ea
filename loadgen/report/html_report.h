// A report as one page that needs nothing but itself: inline SVG, no scripts.
#ifndef HELLOCNN_LOADGEN_REPORT_HTML_REPORT_H_
#define HELLOCNN_LOADGEN_REPORT_HTML_REPORT_H_

#include <string>

#include "loadgen/report/report.h"

namespace hellocnn::load {

// Well-formed XML, too. The text of the report; for one run its latency by percentile, latency and
// rate over time, and where the time went; for many, latency against rate. Pure.
std::string ToHtml(const Report& report);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_HTML_REPORT_H_
