// A bar on standard error that shows how far something is.
#ifndef HELLOCNN_CLI_PROGRESS_H_
#define HELLOCNN_CLI_PROGRESS_H_

#include <cstdint>
#include <functional>

#include "base/clock.h"
#include "cli/terminal.h"

namespace hellocnn::cli {

// Receives the number of images that are done so far. Called on the caller's thread.
using Progress = std::function<void(std::int64_t)>;

// Draws nothing unless standard error is a terminal, and at most ten times a second. Not
// thread-safe. The destructor removes the bar.
class ProgressBar {
 public:
  // `total` is the number of images, >= 1.
  explicit ProgressBar(std::int64_t total);

  // Draws the bar for `done` images.
  void Draw(std::int64_t done);
  // Returns a function that draws. The bar must outlive it.
  Progress AsProgress();

 private:
  const std::int64_t total_;
  const bool shown_;
  const Instant start_;
  Instant drawn_;
  StatusLine line_;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_PROGRESS_H_
