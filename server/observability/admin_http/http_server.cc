#include "server/observability/admin_http/http_server.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <system_error>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/listen.h"

namespace hellocnn::server {
namespace {

constexpr std::size_t kMaxConnections = 64;
// The library's own limit is higher, because it accepts several connections before those that make
// room for them have gone.
constexpr unsigned kConnectionLimit = 128;
constexpr unsigned kTimeoutSeconds = 10;
constexpr std::size_t kBytesPerConnection = 16384;  // bounds the headers

std::string ErrnoText() { return std::generic_category().message(errno); }

// A duplicate of a socket, to tell whether a file descriptor still is that socket.
class SocketIdentity {
 public:
  explicit SocketIdentity(int socket) : duplicate_(fcntl(socket, F_DUPFD_CLOEXEC, 0)) {}
  ~SocketIdentity() {
    if (duplicate_ >= 0) close(duplicate_);
  }
  SocketIdentity(const SocketIdentity&) = delete;
  SocketIdentity& operator=(const SocketIdentity&) = delete;

  bool ok() const { return duplicate_ >= 0; }
  // Returns false if `descriptor` was closed, and also if another file has got its number since.
  bool IsStill(int descriptor) const {
    struct stat ours {};
    struct stat theirs {};
    return fstat(duplicate_, &ours) == 0 && fstat(descriptor, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
  }

 private:
  const int duplicate_;
};

// Returns the path of a request's target. The target is a path, or a whole URL if the client takes
// this server for a proxy. A slash at the end is ignored.
std::string_view PathOf(std::string_view target) {
  const std::size_t scheme_end = target.find("://");
  if (!target.starts_with('/') && scheme_end != std::string_view::npos) {
    target.remove_prefix(std::min(target.find('/', scheme_end + 3), target.size()));
  }
  while (target.ends_with('/')) target.remove_suffix(1);
  return target.empty() ? "/" : target;
}

MHD_Result Send(MHD_Connection* connection, const HttpResponse& response) {
  // The library copies the body and does not write to it.
  MHD_Response* queued = MHD_create_response_from_buffer(
      response.body.size(), const_cast<char*>(response.body.data()), MHD_RESPMEM_MUST_COPY);
  if (queued == nullptr) return MHD_NO;
  MHD_add_response_header(queued, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type.c_str());
  MHD_add_response_header(queued, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  if (response.status == MHD_HTTP_METHOD_NOT_ALLOWED) {
    MHD_add_response_header(queued, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  }
  const MHD_Result result = MHD_queue_response(connection, response.status, queued);
  MHD_destroy_response(queued);
  return result;
}

}  // namespace

// The library is written in C: an exception must not pass through it.
struct HttpServer::Callbacks {
  static MHD_Result OnRequest(void* server, MHD_Connection* connection, const char* path,
                              const char* method, const char* /*version*/, const char* /*body*/,
                              std::size_t* /*body_size*/, void** /*request*/) noexcept {
    try {
      return Send(connection, static_cast<HttpServer*>(server)->Respond(PathOf(path), method));
    } catch (...) {
      return MHD_NO;  // not even an error could be sent; the library closes the connection
    }
  }

  static void OnConnection(void* server, MHD_Connection* connection, void** /*context*/,
                           MHD_ConnectionNotificationCode code) noexcept {
    auto& connections = static_cast<HttpServer*>(server)->connections_;
    const int socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      std::erase(connections, socket);
      return;
    }
    if (connections.size() >= kMaxConnections) {
      // The library sees the end of the stream and closes the connection.
      shutdown(connections.front(), SHUT_RDWR);
      connections.erase(connections.begin());
    }
    connections.push_back(socket);  // within what the constructor has reserved
  }
};

HttpServer::HttpServer(Handler handler) : handler_(std::move(handler)) {
  connections_.reserve(kMaxConnections);
}

HttpResponse HttpServer::Respond(std::string_view path, std::string_view method) const {
  if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD) {
    return {.status = MHD_HTTP_METHOD_NOT_ALLOWED, .body = "only GET and HEAD are allowed\n"};
  }
  std::string what = "an exception of an unknown type";
  try {
    return handler_(path);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
  }
  spdlog::error("HTTP request for {}: {}", path, what);
  return {.status = MHD_HTTP_INTERNAL_SERVER_ERROR,
          .body = "the server could not make this page; its log says why\n"};
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address,
                                                              Handler handler) {
  const absl::StatusOr<ListeningSocket> bound = Listen(address);
  if (!bound.ok()) return bound.status();
  // Whether the library closes the socket when it cannot start depends on its version and on where
  // it fails, and its documentation does not say. Closing the number a second time could close a
  // file that another thread has opened since.
  const SocketIdentity identity(bound->descriptor);
  if (!identity.ok()) {
    const std::string reason = ErrnoText();
    close(bound->descriptor);
    return absl::UnavailableError(absl::StrCat("cannot serve HTTP on ", address, ": ", reason));
  }
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(handler)));
  server->port_ = bound->port;
  server->daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD, 0, nullptr, nullptr, &Callbacks::OnRequest, server.get(),
      MHD_OPTION_LISTEN_SOCKET, bound->descriptor, MHD_OPTION_CONNECTION_LIMIT, kConnectionLimit,
      MHD_OPTION_CONNECTION_TIMEOUT, kTimeoutSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      kBytesPerConnection, MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::OnConnection, server.get(),
      MHD_OPTION_END);
  if (server->daemon_ == nullptr) {
    if (identity.IsStill(bound->descriptor)) close(bound->descriptor);
    return absl::UnavailableError(
        absl::StrCat("cannot serve HTTP on ", address, ": no thread or no memory for it"));
  }
  return server;
}

HttpServer::~HttpServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

}  // namespace hellocnn::server
