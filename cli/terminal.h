// Standard error as a terminal: its width, and a line that shows how far something is.
#ifndef HELLOCNN_CLI_TERMINAL_H_
#define HELLOCNN_CLI_TERMINAL_H_

#include <cstddef>
#include <string>

namespace hellocnn::cli {

// Returns the columns of the terminal that standard error is, or 80 if they are not known.
std::size_t TerminalColumns();

// The last line of the terminal, which is drawn over again. Thread-compatible.
class StatusLine {
 public:
  // Draws nothing unless `shown`, which is for terminals only.
  explicit StatusLine(bool shown) : shown_(shown) {}
  // Removes the line.
  ~StatusLine() { Clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  // Draws `text` in place of what was drawn before. It must be narrower than the terminal, since a
  // line that wraps cannot be drawn over, and have no control characters.
  void Draw(const std::string& text);
  // Removes the line. To be called before anything else is written to the terminal.
  void Clear();

 private:
  const bool shown_;
  bool drawn_ = false;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_TERMINAL_H_
