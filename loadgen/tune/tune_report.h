// Writes what Tune found, for people in lines of at most 80 columns, or for programs. Pure.
#ifndef HELLOCNN_LOADGEN_TUNE_TUNE_REPORT_H_
#define HELLOCNN_LOADGEN_TUNE_TUNE_REPORT_H_

#include <string>

#include "loadgen/tune/tune.h"

namespace hellocnn::load {

// Returns the head of a table of trials. `limited` is the latency that is limited, such as "p99".
std::string TrialHead(const std::string& limited);
// Returns the line of one trial, or two if its remarks need one.
std::string TrialRow(const Trial& trial);

// Returns the advice and the evidence for it. `slo` is the limit, such as "p99=5ms".
std::string Conclusion(const Tuned& tuned, const TunePlan& plan, const std::string& slo);
// Returns all of it in one document.
std::string ToJson(const Tuned& tuned, const TunePlan& plan, const std::string& slo);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_TUNE_TUNE_REPORT_H_
