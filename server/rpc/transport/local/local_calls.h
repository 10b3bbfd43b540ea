// Calls of the server's own methods from within the process: a protocol that is not gRPC's becomes
// calls of the same methods, with the same admission, limits and accounting.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_LOCAL_LOCAL_CALLS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_LOCAL_LOCAL_CALLS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/mutex.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// Calls unary methods of services. Thread-safe.
class LocalCalls {
 public:
  struct Request {
    std::string path;                            // "/hellocnn.v1.ClassifierService/Classify"
    std::string bytes;                           // the message
    std::string peer;                            // for the log: "10.0.0.1"
    std::uint64_t caller = 0;                    // see Rpc::caller
    std::vector<std::string> certificate_names;  // see Rpc::CertificateNames
    std::shared_ptr<const Principal> principal;  // see Rpc::principal; null if it is not known
    std::map<std::string, std::string, std::less<>> metadata;  // by key in lower case
  };
  struct Response {
    absl::Status status;
    std::string bytes;  // of the message, if the status is OK
  };
  // Called once, on any thread, also before Call returns. It must not block.
  using Done = std::function<void(Response)>;

  explicit LocalCalls(std::vector<Service> services);
  // No call may be left.
  ~LocalCalls();

  // UNIMPLEMENTED: NoSuchMethod, for a stream's path too. Other errors are those of the method.
  void Call(Request request, Done done) ABSL_LOCKS_EXCLUDED(mutex_);

  // Cancels all calls that there are, and all that come. Those that are being computed still end
  // with their results.
  void CancelAll() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  class LocalMessage;
  class LocalRpc;
  struct Method;

  const std::vector<Service> services_;
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_;  // by path
  Mutex mutex_;
  std::set<LocalRpc*> calls_ ABSL_GUARDED_BY(mutex_);  // that can be cancelled
  bool is_cancelling_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_LOCAL_LOCAL_CALLS_H_
