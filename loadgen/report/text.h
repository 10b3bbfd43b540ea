// Numbers as people read them.
#ifndef HELLOCNN_LOADGEN_REPORT_TEXT_H_
#define HELLOCNN_LOADGEN_REPORT_TEXT_H_

#include <cstdint>
#include <string>

namespace hellocnn::load {

// "1.24 ms", "310 us", "2.05 s".
std::string ShortTime(double seconds);
// "61,706".
std::string Grouped(std::int64_t number);
// "3.70%".
std::string Percent(double share);
// 0 of nothing.
double Share(std::int64_t part, std::int64_t whole);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_TEXT_H_
