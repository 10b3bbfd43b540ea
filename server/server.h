// Where all parts meet: the order in which they start and stop is written here.
#ifndef HELLOCNN_SERVER_SERVER_H_
#define HELLOCNN_SERVER_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "server/config/options.h"
#include "server/service_manager.h"

namespace hellocnn::server {

// A running server. Threads of its own do the work. Thread-compatible.
class Server {
 public:
  // Loads the models, warms up, listens, and returns once calls are served. Only the port for
  // metrics and probes is open before. Blocks for as long as that takes. Everything that it started
  // has stopped again when it returns an error:
  //   of BatchDispatcher::Start and of ModelManager::Start;
  //   INVALID_ARGUMENT: an option, or a file for TLS, by name;
  //   NOT_FOUND: the default model is not among the models;
  //   UNAVAILABLE: an address that cannot be listened on, by name;
  //   CANCELLED: `stop`, which may be null and must otherwise outlive the call, was notified.
  // `manager` is told how the server is. It may be null, and otherwise outlives the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options,
                                                       const Notification* stop = nullptr,
                                                       ServiceManager* manager = nullptr);
  // Drains.
  ~Server();

  // Health becomes NOT_SERVING, and clients are asked to make their next calls elsewhere. Calls
  // that come nevertheless are served. Does not block. Idempotent.
  void Leave();
  // Leaves, takes no more calls, and finishes those that were accepted. What is left after
  // drain_timeout is cancelled. Blocks for at most drain_timeout, four seconds for clients to
  // understand and connections to close, and the engine calls that are running; and then, if a
  // model is being read, until the file system answers. Idempotent.
  void Drain();

  // Looks for new versions of models now. Does not block. Thread-safe.
  void LookForModels();

  // host:port with the port that was bound.
  const std::string& grpc_address() const;
  // As grpc_address, or "off".
  const std::string& metrics_address() const;
  const std::string& http_address() const;
  const std::string& probe_address() const;

 private:
  class Parts;

  explicit Server(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVER_H_
