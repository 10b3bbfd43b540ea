// A small HTTP server, on a port that anyone may connect to.
#ifndef HELLOCNN_SERVER_HTTP_HTTP_SERVER_H_
#define HELLOCNN_SERVER_HTTP_HTTP_SERVER_H_

#include <cstddef>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/mutex.h"
#include "server/http/http_tls.h"
#include "server/tls/tls_credentials.h"

struct MHD_Daemon;

namespace hellocnn::server {

// A body that is compressed with gzip or deflate has been inflated. Responses are compressed for
// clients that accept it.
struct HttpRequest {
  std::string method;  // "GET"
  // Without the query and without slashes at the end. It is "/" or begins with it, also if the
  // client asked for a whole URL. Escapes (%20) are decoded.
  std::string path;
  std::map<std::string, std::string> query;    // decoded
  std::map<std::string, std::string> headers;  // by name in lower case; of several, the last
  std::string body;
  std::string peer;  // the address of the client, without the port: "10.0.0.1"
  // The subject alternative names of the client's certificate, each with its kind, such as
  // "DNS:shop.example" or "URI:spiffe://example.org/shop"; see server/tls/certificate_names.h.
  // Empty without a certificate.
  std::vector<std::string> certificate_names;
  std::string principal;  // see PrincipalOf in the same file; "" without a certificate

  // Returns the value, or nothing if there is none.
  std::optional<std::string_view> Header(const std::string& name) const;
};

struct HttpResponse {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  // further ones
};

// Makes the response, on a thread of the server.
using MakeHttpResponse = std::function<HttpResponse()>;

// Threads serve all connections and never wait for one of them. So a client that is slow, silent or
// gone costs a socket and a little memory until it has been silent for too long. While too many
// connections are open, a new one closes the oldest of the address that has the most, unless its
// request is being handled. A client that sends a small request and reads thus gets its response,
// however many others keep their connections open.
class HttpServer {
 public:
  struct Options {
    std::string address;  // host:port, with the meaning of base/listen.h; port 0 picks a free port
    std::vector<std::string> methods = {"GET", "HEAD"};
    int threads = 1;
    std::size_t connections = 64;
    absl::Duration silence = absl::Seconds(10);  // after which a connection ends
    std::size_t header_bytes = 16384;
    // Whether a connection may have several requests, one after the other. If not, nobody can line
    // up many on one.
    bool keep_alive = false;
    // The largest body, and how much all bodies and large responses together may take at a moment,
    // of which one address gets half, or one body. 0 is no bound of memory.
    std::size_t body_bytes = 0;
    std::size_t memory_bytes = 0;
    // No byte of a body may come later than this after its request.
    absl::Duration receive_timeout = absl::Seconds(30);
    // If it is null, nothing is encrypted. Otherwise it outlives the server. Clients that it
    // rejects reach no handler.
    const TlsCredentials* tls = nullptr;
    // Called when a connection from `peer` has ended before it was encrypted. Thread-safe, and does
    // not block.
    std::function<void(const std::string& peer, const std::string& reason)> on_tls_failure =
        [](const std::string&, const std::string&) {};
    // Makes the response to a request that does not reach the handler, because of its method or its
    // body, or because the handler throws. `what` is a sentence. The library itself rejects headers
    // that are too large or malformed, with a page of its own.
    std::function<HttpResponse(unsigned status, const std::string& what)> error;
  };

  // `respond` must be called exactly once, now or later, on any thread. The request is valid until
  // then.
  using Responder = std::function<void(MakeHttpResponse)>;
  // Called on a thread of the server, with a method of the options. It must not block for long.
  // If it throws, which it may only do before it has called the responder, the client gets 500 and
  // the exception is logged. It is not called for other methods, which get 405, nor for headers
  // that are too large, which get 431, nor for bodies that are, which get 413, or 503 if all bodies
  // together are, nor for bodies that cannot be inflated, which get 400 or 415.
  using Handler = std::function<void(const HttpRequest& request, Responder respond)>;

  // UNAVAILABLE names the address and says why the server cannot listen on it. INVALID_ARGUMENT:
  // the certificate cannot be used.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(Options options, Handler handler);
  // Rejects further requests with 503, waits until the handler's requests have their responses, and
  // up to a second until clients have read them, closes all connections and ends the threads.
  ~HttpServer();

  int port() const { return port_; }

 private:
  class Exchange;    // a request and its response
  struct Callbacks;  // what the library calls
  struct Connection {
    int socket;  // -1 once it was ended
    std::string address;
    enum class State { kIdle, kHandled, kReplying } state = State::kIdle;
    std::unique_ptr<HttpTls::Connection> tls = nullptr;  // null without TLS
  };

  HttpServer(Options options, Handler handler);

  HttpResponse Error(unsigned status, const std::string& what) const;
  // Takes memory for what an address sends or gets, if there is enough.
  bool TakeMemory(const std::string& address, std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveBack(const std::string& address, std::size_t bytes) ABSL_LOCKS_EXCLUDED(mutex_);

  Connection* AddConnection(int socket, const std::string& address) ABSL_LOCKS_EXCLUDED(mutex_);
  // Must be called when the TLS of the connection is gone.
  void RemoveConnection(const Connection* connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Begin returns false, and changes nothing, if the server stops. Otherwise EndHandling must
  // follow when the response is there, and EndReplying when it is sent.
  bool Begin(Connection* connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndHandling(Connection* connection) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndReplying(Connection* connection) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const Handler handler_;
  Mutex mutex_;
  CondVar ended_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int handling_ ABSL_GUARDED_BY(mutex_) = 0;  // requests without a response
  int replying_ ABSL_GUARDED_BY(mutex_) = 0;  // these, and those whose responses are being sent
  std::list<Connection> connections_ ABSL_GUARDED_BY(mutex_);  // the oldest first
  std::size_t memory_ ABSL_GUARDED_BY(mutex_) = 0;             // that was taken
  std::map<std::string, std::size_t> memory_by_address_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpTls> tls_;  // null without TLS
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;
};

// Returns a handler of a function that makes the response at once.
HttpServer::Handler RespondAtOnce(std::function<HttpResponse(const HttpRequest&)> respond);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_HTTP_HTTP_SERVER_H_
