#include "cli/interrupt.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include "base/repeated_signal.h"

namespace hellocnn::cli {
namespace {

constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

// Global, because a signal handler can reach nothing else.
std::atomic<bool> interrupted = false;
// When the first signal came, by the steady clock. 0 before it.
std::atomic<std::int64_t> first_signal = 0;
static_assert(std::atomic<std::int64_t>::is_always_lock_free);
std::array<struct sigaction, kSignals.size()> previous;

void OnSignal(int number) {
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  // Two threads may get two signals at the same time; exactly one is the first.
  std::int64_t first = 0;
  if (first_signal.compare_exchange_strong(first, now)) {
    interrupted.store(true);
    return;
  }
  constexpr std::chrono::steady_clock::duration kRepeated = kRepeatedSignal;
  if (now - first <= kRepeated.count()) return;
  // Shells and supervisors see that the signal ended the program.
  std::signal(number, SIG_DFL);
  std::raise(number);
  _exit(128 + number);  // the kernel ignores a signal without a handler that process 1 sends itself
}

}  // namespace

Interrupt::Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &previous[i]);
    if (kSignals[i] == SIGHUP && previous[i].sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = OnSignal;
    action.sa_flags = SA_RESTART | SA_NODEFER;
    sigaction(kSignals[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &previous[i], nullptr);
  interrupted.store(false);
  first_signal.store(0);
}

const std::atomic<bool>& Interrupt::happened() const { return interrupted; }

}  // namespace hellocnn::cli
