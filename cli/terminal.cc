#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>

namespace hellocnn::cli {
namespace {

constexpr char kEraseLine[] = "\r\x1b[K";

}  // namespace

std::size_t TerminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void StatusLine::Draw(const std::string& text) {
  if (!shown_) return;
  std::cerr << kEraseLine << text << std::flush;
  drawn_ = !text.empty();
}

void StatusLine::Clear() {
  if (drawn_) Draw("");
}

}  // namespace hellocnn::cli
