// A small HTTP server for pages that are quick to make, on a port that anyone may connect to.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_HTTP_SERVER_H_
#define HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_HTTP_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

struct MHD_Daemon;

namespace hellocnn::server {

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// One thread serves all connections and never waits for one of them. So a client that is slow,
// silent or gone costs a socket and 16 KiB, until it has been silent for 10 s. While 64 connections
// are open, a new one closes the oldest. A client that sends a request and reads thus gets its
// response, however many others keep their connections open.
class HttpServer {
 public:
  // Called with the path of a GET or HEAD, without the query and without slashes at the end, on the
  // server's thread. The path is "/" or begins with it, also if the client asked for a whole URL.
  // It must not block. If it throws, the client gets 500 and the exception is logged. It is not
  // called for other methods, which get 405, nor for headers that are too large, which get 431.
  using Handler = std::function<HttpResponse(std::string_view path)>;

  // `address` is host:port, with the meaning of base/listen.h. Port 0 picks a free port.
  // UNAVAILABLE names the address and says why the server cannot listen on it.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           Handler handler);
  // Closes all connections and ends the thread.
  ~HttpServer();

  int port() const { return port_; }

 private:
  struct Callbacks;  // what the library calls

  explicit HttpServer(Handler handler);

  HttpResponse Respond(std::string_view path, std::string_view method) const;

  const Handler handler_;
  std::vector<int> connections_;  // sockets, oldest first; only the server's thread uses it
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_HTTP_SERVER_H_
