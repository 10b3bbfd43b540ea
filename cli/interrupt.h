// Makes signals end a measurement, not the program.
#ifndef HELLOCNN_CLI_INTERRUPT_H_
#define HELLOCNN_CLI_INTERRUPT_H_

#include <atomic>

namespace hellocnn::cli {

// While it exists, the first SIGINT, SIGTERM or SIGHUP sets happened(), and a second one,
// unless it follows within kRepeatedSignal, ends the program at once. Both hold for process 1 of a
// container too, for which the kernel has no default action. SIGHUP stays ignored if it was, as
// under nohup. Only one may exist at a time, on the thread that made it.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::atomic<bool>& happened() const;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_INTERRUPT_H_
