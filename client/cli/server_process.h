// A server of our own, for as long as it is measured.
#ifndef HELLOCNN_CLIENT_CLI_SERVER_PROCESS_H_
#define HELLOCNN_CLIENT_CLI_SERVER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::cli {

class ServerProcess {
 public:
  // Runs hellocnn-server at `binary` with `flags` on a free port of this machine, and blocks until
  // it is ready, for at most `patience`. It ends with this process at the latest. UNAVAILABLE names
  // the command and what it did instead; it has ended then, and its own words are on stderr.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const std::string& binary,
                                                              const std::vector<std::string>& flags,
                                                              absl::Duration patience);

  // Ends it in the orderly way, or after 10 s in the other.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }  // host:port

 private:
  explicit ServerProcess(pid_t pid) : pid_(pid) {}

  const pid_t pid_;
  std::string address_;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLIENT_CLI_SERVER_PROCESS_H_
