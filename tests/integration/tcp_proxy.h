// A network between a client and a server that a test can cut and slow down.
#ifndef TESTS_INTEGRATION_TCP_PROXY_H_
#define TESTS_INTEGRATION_TCP_PROXY_H_

#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace hellocnn {

// Listens on a free port and passes all on. Thread-safe.
class TcpProxy {
 public:
  // `target` is "127.0.0.1:port".
  explicit TcpProxy(const std::string& target);
  // Closes all connections.
  ~TcpProxy();

  // "127.0.0.1:port"
  const std::string& address() const { return address_; }

  // While cut, nothing passes in either direction, and nobody is told: connections stay open, new
  // ones are accepted by the kernel alone. What was on its way arrives after it is mended.
  void SetCut(bool cut);
  // Each piece of data is held up for so long, in each direction.
  void SetDelay(absl::Duration delay);

 private:
  void Accept();
  void Pump(int from, int to);
  // Blocks while cut. False: the proxy closes.
  bool WaitUntilOpen();

  const std::string target_;
  std::string address_;
  int listener_ = -1;
  std::thread acceptor_;

  absl::Mutex mutex_;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration delay_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
  std::vector<int> sockets_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> pumps_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn

#endif  // TESTS_INTEGRATION_TCP_PROXY_H_
