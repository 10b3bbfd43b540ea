#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/listen.h"
#include "server/http/exchange.h"

namespace hellocnn::server {
namespace {

// How long the end of a server waits until clients have read their responses.
constexpr absl::Duration kSendTime = absl::Seconds(1);

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

MHD_Result ToLibrary(bool goes_on) { return goes_on ? MHD_YES : MHD_NO; }

std::string PeerOf(MHD_Connection* connection) {
  const sockaddr* const address =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
  char text[INET6_ADDRSTRLEN] = "";
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    const in6_addr& ipv6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&ipv6)) {
      inet_ntop(AF_INET, &ipv6.s6_addr[12], text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &ipv6, text, sizeof text);
    }
  }
  return text;
}

}  // namespace

std::optional<std::string_view> HttpRequest::Header(const std::string& name) const {
  const auto found = headers.find(name);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

// The library is written in C: an exception must not pass through it.
struct HttpServer::Callbacks {
  using Owned = std::shared_ptr<Exchange>;

  static MHD_Result OnRequest(void* self, MHD_Connection* connection, const char* path,
                              const char* method, const char* /*version*/, const char* body,
                              std::size_t* body_size, void** context) noexcept {
    try {
      if (*context == nullptr) {
        auto exchange = std::make_unique<Owned>(
            std::make_shared<Exchange>(static_cast<HttpServer*>(self), connection));
        Exchange& begun = **exchange;
        *context = exchange.release();  // until OnCompleted
        return ToLibrary(begun.TakeHead(path, method));
      }
      Exchange& exchange = **static_cast<Owned*>(*context);
      if (*body_size == 0) return ToLibrary(exchange.Proceed());
      const bool received = exchange.Receive({body, *body_size});
      *body_size = 0;
      return ToLibrary(received);
    } catch (...) {
      return MHD_NO;  // not even an error could be sent; the library closes the connection
    }
  }

  static void OnCompleted(void* /*self*/, MHD_Connection* /*connection*/, void** context,
                          MHD_RequestTerminationCode /*how*/) noexcept {
    auto* const owned = static_cast<Owned*>(std::exchange(*context, nullptr));
    if (owned == nullptr) return;
    (*owned)->Complete();
    delete owned;
  }

  static void OnConnection(void* self, MHD_Connection* connection, void** context,
                           MHD_ConnectionNotificationCode code) noexcept {
    auto* const server = static_cast<HttpServer*>(self);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
      server->RemoveConnection(static_cast<Connection*>(*context));
      return;
    }
    try {
      Connection* const added = server->AddConnection(
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
          PeerOf(connection));
      *context = added;
      if (server->tls_ == nullptr) return;
      added->tls = server->tls_->Begin(static_cast<gnutls_session_int*>(
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session));
    } catch (...) {
      std::abort();  // there is no memory for a few bytes
    }
  }
};

HttpServer::HttpServer(Options options, Handler handler)
    : options_(std::move(options)), handler_(std::move(handler)) {}

HttpResponse HttpServer::Error(unsigned status, const std::string& what) const {
  if (options_.error != nullptr) return options_.error(status, what);
  return {.status = status, .body = absl::StrCat(what, "\n")};
}

// So that one address cannot take it from all others, it gets no more than half.
bool HttpServer::TakeMemory(const std::string& address, std::size_t bytes) {
  if (bytes == 0 || options_.memory_bytes == 0) return true;
  MutexLock lock(&mutex_);
  std::size_t& own = memory_by_address_[address];
  const bool has_room = bytes <= options_.memory_bytes - std::min(options_.memory_bytes, memory_) &&
                        own + bytes <= std::max(options_.memory_bytes / 2, options_.body_bytes);
  if (has_room) {
    memory_ += bytes;
    own += bytes;
  } else if (own == 0) {
    memory_by_address_.erase(address);
  }
  return has_room;
}

void HttpServer::GiveBack(const std::string& address, std::size_t bytes) {
  if (bytes == 0 || options_.memory_bytes == 0) return;
  MutexLock lock(&mutex_);
  memory_ -= bytes;
  const auto own = memory_by_address_.find(address);
  own->second -= bytes;
  if (own->second == 0) memory_by_address_.erase(own);
}

HttpServer::Connection* HttpServer::AddConnection(int socket, const std::string& address) {
  MutexLock lock(&mutex_);
  // Those that were ended are about to go.
  const auto open = std::count_if(connections_.begin(), connections_.end(),
                                  [](const Connection& one) { return one.socket >= 0; });
  if (static_cast<std::size_t>(open) >= options_.connections) EndOldest();
  return &connections_.emplace_back(Connection{.socket = socket, .address = address});
}

// Whoever has the most connections is the first who can do with fewer.
void HttpServer::EndOldest() {
  using State = Connection::State;
  const auto can_end = [](const Connection& connection) {
    return connection.socket >= 0 && connection.state != State::kHandled;
  };
  std::map<std::string_view, std::size_t> counts;
  for (const Connection& connection : connections_) {
    if (can_end(connection)) ++counts[connection.address];
  }
  const auto greediest = std::max_element(
      counts.begin(), counts.end(),
      [](const auto& one, const auto& other) { return one.second < other.second; });
  if (greediest == counts.end()) return;
  const auto oldest =
      std::find_if(connections_.begin(), connections_.end(), [&](const Connection& connection) {
        return can_end(connection) && connection.address == greediest->first;
      });
  // The library sees the end of the stream and closes the connection.
  shutdown(oldest->socket, SHUT_RDWR);
  oldest->socket = -1;
}

void HttpServer::RemoveConnection(const Connection* connection) {
  std::list<Connection> removed;
  bool was_ended = false;
  {
    MutexLock lock(&mutex_);
    const auto found =
        std::find_if(connections_.begin(), connections_.end(),
                     [connection](const Connection& one) { return &one == connection; });
    was_ended = is_stopping_ || found->socket < 0;
    removed.splice(removed.begin(), connections_, found);
  }
  // A client is not to blame for what the server has ended.
  if (tls_ == nullptr || was_ended) return;
  const HttpTls::Connection* const tls = connection->tls.get();
  if (tls == nullptr || !tls->is_secured()) {
    options_.on_tls_failure(connection->address, tls == nullptr ? "no memory" : tls->WhyNot());
  }
}

bool HttpServer::Begin(Connection* connection) {
  MutexLock lock(&mutex_);
  if (is_stopping_) return false;
  connection->state = Connection::State::kHandled;
  ++handling_;
  ++replying_;
  return true;
}

void HttpServer::EndHandling(Connection* connection) {
  MutexLock lock(&mutex_);
  connection->state = Connection::State::kReplying;
  --handling_;
  ended_.SignalAll();
}

void HttpServer::EndReplying(Connection* connection) {
  MutexLock lock(&mutex_);
  if (std::exchange(connection->state, Connection::State::kIdle) == Connection::State::kIdle) {
    return;
  }
  --replying_;
  ended_.SignalAll();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(Options options, Handler handler) {
  const std::string address = options.address;
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
  std::unique_ptr<HttpServer> server(new HttpServer(std::move(options), std::move(handler)));
  const Options& chosen = server->options_;
  server->port_ = bound->port;
  // The library's own limit is higher, because it accepts several connections before those that
  // make room for them have gone.
  const auto connection_limit = static_cast<unsigned>(2 * chosen.connections);
  const auto silence = static_cast<unsigned>(absl::ToInt64Seconds(chosen.silence));
  std::vector<MHD_OptionItem> items;
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
  if (chosen.tls != nullptr) {
    absl::StatusOr<std::unique_ptr<HttpTls>> tls = HttpTls::Make(chosen.tls);
    if (!tls.ok()) {
      close(bound->descriptor);
      return tls.status();
    }
    server->tls_ = *std::move(tls);
    flags |= MHD_USE_TLS;
    items.push_back({MHD_OPTION_HTTPS_PRIORITIES, 0, const_cast<char*>(HttpTls::Priorities())});
    items.push_back({MHD_OPTION_HTTPS_CERT_CALLBACK, 0, HttpTls::CertificateCallback()});
  }
  if (chosen.threads > 1) {
    items.push_back({MHD_OPTION_THREAD_POOL_SIZE, chosen.threads, nullptr});
  }
  items.push_back({MHD_OPTION_END, 0, nullptr});
  server->daemon_ = MHD_start_daemon(
      flags, 0, nullptr, nullptr, &Callbacks::OnRequest, server.get(), MHD_OPTION_LISTEN_SOCKET,
      bound->descriptor, MHD_OPTION_CONNECTION_LIMIT, connection_limit,
      MHD_OPTION_CONNECTION_TIMEOUT, silence, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      chosen.header_bytes, MHD_OPTION_NOTIFY_CONNECTION, &Callbacks::OnConnection, server.get(),
      MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::OnCompleted, nullptr, MHD_OPTION_ARRAY, items.data(),
      MHD_OPTION_END);
  if (server->daemon_ == nullptr) {
    if (identity.IsStill(bound->descriptor)) close(bound->descriptor);
    return absl::UnavailableError(
        absl::StrCat("cannot serve HTTP on ", address,
                     ": no thread can be started, or the machine is out of memory"));
  }
  return server;
}

HttpServer::~HttpServer() {
  if (daemon_ == nullptr) return;
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    // The library must not stop while a connection waits for its response.
    while (handling_ > 0) ended_.Wait(&mutex_);
    const Instant patience = Clock::Monotonic()->Now() + kSendTime;
    while (replying_ > 0 && !ended_.WaitUntil(&mutex_, patience)) {
    }
  }
  MHD_stop_daemon(daemon_);
}

HttpServer::Handler RespondAtOnce(std::function<HttpResponse(const HttpRequest&)> respond) {
  return [respond = std::move(respond)](const HttpRequest& request,
                                        const HttpServer::Responder& answer) {
    answer([response = respond(request)] { return response; });
  };
}

}  // namespace hellocnn::server
