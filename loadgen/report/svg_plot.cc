#include "loadgen/report/svg_plot.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace hellocnn::load {
namespace {

constexpr double kWidth = 760, kHeight = 280;
constexpr double kLeft = 74, kRight = 34, kTop = 34, kBottom = 46;
constexpr double kCharacter = 6.6;      // approximate width of a character
constexpr std::size_t kMostMarks = 80;  // a series with more points is drawn as a line only
constexpr double kNoteDistance = 18;    // least distance between two notes that are both shown

constexpr double kBarHeight = 22, kBarPitch = 31, kBarLeft = 118, kBarRight = 78;

std::string Text(double x, double y, const std::string& anchor, const std::string& text,
                 const std::string& style = "label") {
  return absl::StrFormat("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n",
                         style, x, y, anchor, EscapeXml(text));
}

std::string Open(double height) {
  return absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %g %g\">\n", kWidth,
      height);
}

// Returns a step of 1, 2 or 5 times a power of ten, so that about `count` steps reach `most`.
double NiceStep(double most, int count) {
  const double rough = most / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

std::string Legend(const std::vector<std::pair<std::string, int>>& entries, double left) {
  std::string svg;
  for (const auto& [name, colour] : entries) {
    absl::StrAppendFormat(
        &svg,
        "<rect class=\"series-%d\" x=\"%.1f\" y=\"7\" width=\"11\" height=\"11\" rx=\"2\"/>\n",
        colour, left);
    svg += Text(left + 16, 17, "start", name, "legend");
    left += 34 + kCharacter * static_cast<double>(name.size());
  }
  return svg;
}

// Maps values to places in the drawing.
struct Frame {
  double x_most;
  double y_most;
  double X(double x) const { return kLeft + x / x_most * (kWidth - kLeft - kRight); }
  double Y(double y) const { return kHeight - kBottom - y / y_most * (kHeight - kTop - kBottom); }
};

std::string Grid(const Frame& frame, double y_step, const Axis& x, const Axis& y) {
  std::string svg;
  for (double at = 0; at <= frame.y_most * (1 + 1e-9); at += y_step) {
    absl::StrAppendFormat(&svg, "<path class=\"grid\" d=\"M%g %.1fH%g\"/>\n", kLeft, frame.Y(at),
                          kWidth - kRight);
    svg += Text(kLeft - 8, frame.Y(at) + 4, "end", y.name(at));
  }
  std::vector<double> ticks = x.ticks;
  if (ticks.empty()) {
    const double step = NiceStep(frame.x_most, 8);
    for (double at = 0; at <= frame.x_most * (1 + 1e-9); at += step) ticks.push_back(at);
  }
  for (const double at : ticks) {
    if (at > frame.x_most * (1 + 1e-9)) continue;
    absl::StrAppendFormat(&svg, "<path class=\"axis\" d=\"M%.1f %gv4\"/>\n", frame.X(at),
                          kHeight - kBottom);
    svg += Text(frame.X(at), kHeight - kBottom + 19, "middle", x.name(at));
  }
  absl::StrAppendFormat(&svg, "<path class=\"axis\" d=\"M%g %gH%g\"/>\n", kLeft, kHeight - kBottom,
                        kWidth - kRight);
  return svg + Text((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", x.title, "title");
}

std::string Line(const Series& series, const Frame& frame, const Axis& x, const Axis& y) {
  std::string svg = absl::StrFormat("<polyline class=\"series-%d line\" points=\"", series.colour);
  for (const auto& [at, value] : series.points) {
    absl::StrAppendFormat(&svg, "%.1f,%.1f ", frame.X(at), frame.Y(value));
  }
  svg += "\"/>\n";
  if (series.points.size() > kMostMarks) return svg;
  for (const auto& [at, value] : series.points) {
    absl::StrAppendFormat(
        &svg,
        "<circle class=\"series-%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\">"
        "<title>%s</title></circle>\n",
        series.colour, frame.X(at), frame.Y(value),
        EscapeXml(absl::StrCat(series.name, " at ", x.name(at), ": ", y.name(value))));
  }
  double last_x = -kNoteDistance;
  double last_y = -kNoteDistance;
  for (std::size_t i = 0; i < series.notes.size(); ++i) {
    const double note_x = frame.X(series.points[i].first);
    const double note_y = frame.Y(series.points[i].second) - 8;
    if (std::hypot(note_x - last_x, note_y - last_y) < kNoteDistance) continue;
    svg += Text(note_x, note_y, "middle", series.notes[i], "note");
    last_x = note_x;
    last_y = note_y;
  }
  return svg;
}

}  // namespace

std::string LinePlot(const std::vector<Series>& series, const Axis& x, const Axis& y) {
  Frame frame{0, 0};
  std::vector<std::pair<std::string, int>> legend;
  for (const Series& one : series) {
    legend.emplace_back(one.name, one.colour);
    for (const auto& [at, value] : one.points) {
      frame.x_most = std::max(frame.x_most, at);
      frame.y_most = std::max(frame.y_most, value);
    }
  }
  if (frame.x_most <= 0 || frame.y_most <= 0) return "<p>There is nothing to draw.</p>\n";
  const double y_step = NiceStep(frame.y_most, 5);
  frame.y_most = std::ceil(frame.y_most / y_step - 1e-9) * y_step;
  std::string svg = Open(kHeight) + Grid(frame, y_step, x, y) + Legend(legend, kLeft);
  for (const Series& one : series) svg += Line(one, frame, x, y);
  return svg + "</svg>\n";
}

std::string StackedBars(const std::vector<std::string>& parts, const std::vector<Bar>& bars,
                        const std::function<std::string(double)>& value_name) {
  const auto total = [](const Bar& bar) {
    double sum = 0;
    for (const double part : bar.parts) sum += part;
    return sum;
  };
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, total(bar));
  if (most <= 0) return "<p>There is nothing to draw.</p>\n";
  std::vector<std::pair<std::string, int>> legend;
  legend.reserve(parts.size());
  for (const std::string& part : parts)
    legend.emplace_back(part, static_cast<int>(legend.size()) + 1);
  std::string svg =
      Open(kTop + kBarPitch * static_cast<double>(bars.size())) + Legend(legend, kBarLeft);
  double y = kTop;
  for (const Bar& bar : bars) {
    svg += Text(kBarLeft - 8, y + 15, "end", bar.name);
    double x = kBarLeft;
    for (std::size_t i = 0; i < bar.parts.size(); ++i) {
      const double width = (kWidth - kBarLeft - kBarRight) * bar.parts[i] / most;
      const std::string value = value_name(bar.parts[i]);
      absl::StrAppendFormat(
          &svg,
          "<rect class=\"series-%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%g\">"
          "<title>%s</title></rect>\n",
          static_cast<int>(i) + 1, x, y, width, kBarHeight,
          EscapeXml(absl::StrCat(bar.name, ", ", parts[i], ": ", value)));
      if (width > kCharacter * static_cast<double>(value.size()) + 8) {
        svg += Text(x + width / 2, y + 15, "middle", value, "in-bar");
      }
      x += width;
    }
    svg += Text(x + 8, y + 15, "start", value_name(total(bar)));
    y += kBarPitch;
  }
  return svg + "</svg>\n";
}

std::string EscapeXml(const std::string& text) {
  // XML does not allow control characters, and error messages may contain any byte.
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    clean += (byte < 0x20 && c != '\n') || byte > 0x7e ? '?' : c;
  }
  return absl::StrReplaceAll(clean,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

}  // namespace hellocnn::load
