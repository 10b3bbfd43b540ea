// The built server as a child of this process.
#ifndef TESTS_INTEGRATION_SERVER_PROCESS_H_
#define TESTS_INTEGRATION_SERVER_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace hellocnn {

// Thread-compatible. A server that does not start ends the test program.
class ServerProcess {
 public:
  // Blocks until the server is ready. Port 0 is a free one.
  explicit ServerProcess(const std::vector<std::string>& options = {},
                         const std::string& listen = "127.0.0.1:0");
  // Kills it, if it runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  // "127.0.0.1:port"
  const std::string& address() const { return address_; }

  // The server must run.
  void Signal(int number) const;
  // Sends a signal that ends it, and blocks until it has. The server must run.
  void End(int number);

 private:
  pid_t pid_ = -1;
  std::string address_;
};

}  // namespace hellocnn

#endif  // TESTS_INTEGRATION_SERVER_PROCESS_H_
