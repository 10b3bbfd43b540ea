// Draws plots as inline SVG without scripts. Colours are the classes series-1 to series-4 of the
// page's style. Pure functions; their results are well-formed XML.
#ifndef HELLOCNN_LOADGEN_REPORT_SVG_PLOT_H_
#define HELLOCNN_LOADGEN_REPORT_SVG_PLOT_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace hellocnn::load {

struct Series {
  std::string name;
  int colour;                                     // 1 to 4
  std::vector<std::pair<double, double>> points;  // in the order in which they are connected
  std::vector<std::string> notes;  // shown at the points; one for each point, or empty
};

struct Axis {
  std::string title;
  std::function<std::string(double)> name;  // of a value on the axis
  std::vector<double> ticks;                // empty: round numbers
};

// Draws lines through points that show their values when pointed at. Values are >= 0. Both axes
// begin at 0, so that no difference looks larger than it is.
std::string LinePlot(const std::vector<Series>& series, const Axis& x, const Axis& y);

// A bar for each row, with parts that add up.
struct Bar {
  std::string name;
  std::vector<double> parts;  // >= 0, one for each part name
};
std::string StackedBars(const std::vector<std::string>& parts, const std::vector<Bar>& bars,
                        const std::function<std::string(double)>& value_name);

// Escapes text for XML elements and attributes. Characters that XML does not allow or that are not
// ASCII become '?'.
std::string EscapeXml(const std::string& text);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_SVG_PLOT_H_
