// A small HTTP server for pages that are ready at once, on a port that anyone may come to.
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

// One thread for all connections, none of which can hold it up: it waits for whichever has
// something to read or takes something. So a client that is slow, silent or gone costs a socket and
// 16 KiB, for 10 s of silence at most. At 64 connections a new one ends the oldest: however many
// there are that only hold on, one that asks and reads is answered.
class HttpServer {
 public:
  // Called with the path of a GET or HEAD, without the query, on the server's thread. It must not
  // block. If it throws, the client gets 500 and the exception is logged. It is not called for
  // other methods, which get 405, nor for headers that are too large, which get 431.
  using Handler = std::function<HttpResponse(std::string_view path)>;

  // `address` is host:port, the host a name or an address, in brackets if it is of IPv6; port 0
  // picks a free one. A name with addresses of both kinds stands for its first of IPv4. UNAVAILABLE
  // names the address that cannot be listened on, and why.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           Handler handler);
  // Closes all connections and ends the thread.
  ~HttpServer();

  int port() const { return port_; }

 private:
  struct Callbacks;  // what the library calls

  explicit HttpServer(Handler handler);

  HttpResponse Answer(std::string_view path, std::string_view method) const;

  const Handler handler_;
  std::vector<int> connections_;  // sockets, oldest first; the server's thread alone uses it
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_ADMIN_HTTP_HTTP_SERVER_H_
