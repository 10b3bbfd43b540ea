#include "cli/interrupt.h"

#include <csignal>

namespace hellocnn::cli {
namespace {

// Global, because a signal handler can reach nothing else.
std::atomic<bool> interrupted = false;

void OnInterrupt(int) {
  interrupted.store(true);
  std::signal(SIGINT, SIG_DFL);
}

}  // namespace

Interrupt::Interrupt() : previous_(std::signal(SIGINT, OnInterrupt)) {}

Interrupt::~Interrupt() {
  std::signal(SIGINT, previous_);
  interrupted.store(false);
}

const std::atomic<bool>& Interrupt::happened() const { return interrupted; }

}  // namespace hellocnn::cli
