// Formats numbers for people.
#ifndef HELLOCNN_LOADGEN_REPORT_TEXT_H_
#define HELLOCNN_LOADGEN_REPORT_TEXT_H_

#include <cstdint>
#include <string>

namespace hellocnn::load {

// Returns a duration such as "1.24 ms", "310 us" or "2.05 s".
std::string ShortTime(double seconds);
// Returns a number such as "61,706".
std::string Grouped(std::int64_t number);
// Returns a percentage such as "3.70%".
std::string Percent(double share);
// Returns `part` divided by `whole`, or 0 if `whole` is 0.
double Share(std::int64_t part, std::int64_t whole);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_TEXT_H_
