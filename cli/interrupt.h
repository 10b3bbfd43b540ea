// Makes Ctrl-C end a measurement, not the program.
#ifndef HELLOCNN_CLI_INTERRUPT_H_
#define HELLOCNN_CLI_INTERRUPT_H_

#include <atomic>

namespace hellocnn::cli {

// While it exists, the first SIGINT sets happened(), and the second ends the program. Only one may
// exist at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::atomic<bool>& happened() const;

 private:
  void (*const previous_)(int);
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_INTERRUPT_H_
