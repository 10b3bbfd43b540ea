// Formats numbers and lines for people. Every part of the generator writes its numbers with these.
#ifndef HELLOCNN_LOADGEN_REPORT_TEXT_H_
#define HELLOCNN_LOADGEN_REPORT_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace hellocnn::load {

// No line of a report is longer, unless a single word is, such as a path.
inline constexpr std::size_t kColumns = 80;

// Returns a duration such as "1.24 ms", "310 us", "2.05 s" or "1,204 s".
std::string ShortTime(double seconds);
// Returns a whole number such as "61,706".
std::string Grouped(std::int64_t number);
// Returns a rate or another measured number: "0.1", "12.5", "289.2", "61,706". Four digits count
// below 1,000, and whole numbers above.
std::string Number(double number);
// Returns a rate that was asked for, with up to nine digits: "0.1", "1,000.25".
std::string Exact(double number);
// Returns a percentage such as "3.70%".
std::string Percent(double share);
// Returns `part` divided by `whole`, or 0 if `whole` is 0.
double Share(std::int64_t part, std::int64_t whole);

// Returns lines of at most kColumns, each with its end: `label`, and `text` beside it, broken at
// its spaces and escaped for a terminal. Text begins at column `indent`, or right after a longer
// label.
std::string Wrapped(const std::string& label, const std::string& text, std::size_t indent = 11);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_TEXT_H_
