#include "cli/progress.h"

#include <unistd.h>

#include "absl/time/time.h"
#include "cli/images/render.h"

namespace hellocnn::cli {

ProgressBar::ProgressBar(std::int64_t total)
    : total_(total),
      shown_(isatty(STDERR_FILENO) == 1),
      start_(Clock::Monotonic()->Now()),
      drawn_(start_),
      line_(shown_) {}

void ProgressBar::Draw(std::int64_t done) {
  const Instant now = Clock::Monotonic()->Now();
  if (!shown_ || now - drawn_ < absl::Milliseconds(100)) return;
  drawn_ = now;
  line_.Draw(ProgressLine(done, total_, now - start_).substr(0, TerminalColumns() - 1));
}

Progress ProgressBar::AsProgress() {
  return [this](std::int64_t done) { Draw(done); };
}

}  // namespace hellocnn::cli
