#include "server/http/http_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/clock.h"
#include "base/listen.h"
#include "base/shown.h"
#include "server/http/compression.h"

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

// Returns the path of a request's target. The target is a path, or a whole URL if the client takes
// this server for a proxy. A slash at the end is ignored.
std::string_view PathOf(std::string_view target) {
  const std::size_t scheme_end = target.find("://");
  if (!target.starts_with('/') && scheme_end != std::string_view::npos) {
    target.remove_prefix(std::min(target.find('/', scheme_end + 3), target.size()));
  }
  while (target.ends_with('/')) target.remove_suffix(1);
  return target.starts_with('/') ? target : "/";
}

MHD_Result Queue(MHD_Connection* connection, const HttpResponse& response, bool keep_alive) {
  // The library copies the body and does not write to it.
  MHD_Response* queued = MHD_create_response_from_buffer(
      response.body.size(), const_cast<char*>(response.body.data()), MHD_RESPMEM_MUST_COPY);
  if (queued == nullptr) return MHD_NO;
  MHD_add_response_header(queued, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type.c_str());
  MHD_add_response_header(queued, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(queued, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
  for (const auto& [name, value] : response.headers) {
    MHD_add_response_header(queued, name.c_str(), value.c_str());
  }
  if (!keep_alive) MHD_add_response_header(queued, MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result result = MHD_queue_response(connection, response.status, queued);
  MHD_destroy_response(queued);
  return result;
}

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

// Returns the headers, by name in lower case, or the arguments of the query.
std::map<std::string, std::string> ValuesOf(MHD_Connection* connection, MHD_ValueKind kind) {
  std::map<std::string, std::string> values;
  struct Target {
    std::map<std::string, std::string>* values;
    bool lower;
  } target = {&values, kind == MHD_HEADER_KIND};
  const auto add = [](void* to, MHD_ValueKind /*kind*/, const char* key,
                      const char* value) noexcept -> MHD_Result {
    try {
      const auto* const found = static_cast<const Target*>(to);
      (*found->values)[found->lower ? absl::AsciiStrToLower(key) : key] =
          value == nullptr ? "" : value;
      return MHD_YES;
    } catch (...) {
      return MHD_NO;
    }
  };
  MHD_get_connection_values(connection, kind, add, &target);
  return values;
}

}  // namespace

std::optional<std::string_view> HttpRequest::Header(const std::string& name) const {
  const auto found = headers.find(name);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

// The library's callbacks for one connection come one at a time. The responder may be called on
// another thread meanwhile.
class HttpServer::Exchange : public std::enable_shared_from_this<HttpServer::Exchange> {
 public:
  Exchange(HttpServer* server, MHD_Connection* connection)
      : server_(server),
        connection_(connection),
        entry_(static_cast<Connection*>(
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
                ->socket_context)),
        receive_by_(Clock::Monotonic()->Now() + server->options_.receive_timeout) {}

  // Returns an error to send at once, if the headers show one.
  std::optional<HttpResponse> CheckHead(const char* path, const char* method) {
    const Options& options = server_->options_;
    request_.method = method;
    request_.path = PathOf(path);
    request_.headers = ValuesOf(connection_, MHD_HEADER_KIND);
    request_.query = ValuesOf(connection_, MHD_GET_ARGUMENT_KIND);
    request_.peer = PeerOf(connection_);
    if (std::find(options.methods.begin(), options.methods.end(), method) ==
        options.methods.end()) {
      const std::string allowed = absl::StrJoin(options.methods, ", ");
      HttpResponse response = server_->Error(
          MHD_HTTP_METHOD_NOT_ALLOWED,
          absl::StrCat("the method ", request_.method, " is not allowed; wanted ", allowed));
      response.headers.emplace_back(MHD_HTTP_HEADER_ALLOW, allowed);
      return response;
    }
    const std::string_view length = request_.Header("content-length").value_or("0");
    std::size_t bytes = 0;
    for (const char digit : length) {
      if (digit < '0' || digit > '9') break;  // the library rejects what is no number
      bytes = std::min(bytes * 10 + static_cast<std::size_t>(digit - '0'), kManyBytes);
    }
    if (bytes > options.body_bytes) {
      // A client that is not told before it sends would see no response, but a connection that
      // breaks. So what is not much too large is read and thrown away.
      if (bytes > kDiscarded * options.body_bytes || request_.Header("expect").has_value()) {
        return TooLarge(bytes);
      }
      wrong_ = TooLarge(bytes);
    }
    const std::string encoding = absl::AsciiStrToLower(
        std::string(request_.Header("content-encoding").value_or("identity")));
    if (encoding == "gzip" || encoding == "x-gzip" || encoding == "deflate") {
      inflater_ = std::make_unique<Inflater>();
    } else if (encoding != "identity") {
      HttpResponse response = server_->Error(
          MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
          absl::StrCat("the content encoding is ", Shown(encoding), "; wanted gzip or deflate"));
      response.headers.emplace_back(MHD_HTTP_HEADER_ACCEPT_ENCODING, "gzip, deflate");
      return response;
    }
    return std::nullopt;
  }

  // Returns false if the connection is to be closed.
  bool Receive(std::string_view part) {
    if (Clock::Monotonic()->Now() > receive_by_) return false;
    received_ += part.size();
    const std::size_t most = server_->options_.body_bytes;
    if (received_ > kDiscarded * most) return false;
    if (wrong_.has_value()) return true;  // what is read is thrown away
    if (received_ > most) {
      wrong_ = TooLarge(received_);
      return true;
    }
    const std::size_t before = request_.body.size();
    if (inflater_ == nullptr) {
      request_.body.append(part);
    } else if (const Inflater::Result result = inflater_->Add(part, most, &request_.body);
               result == Inflater::Result::kTooLarge) {
      wrong_ = server_->Error(
          MHD_HTTP_CONTENT_TOO_LARGE,
          absl::StrCat("the body inflates to more than ", most, " bytes, the most that is wanted"));
    } else if (result == Inflater::Result::kDamaged) {
      wrong_ = Damaged();
    }
    const std::size_t more = request_.body.size() - before;
    if (!wrong_.has_value() && !Take(more)) wrong_ = NoMemory();
    if (wrong_.has_value()) {
      std::string().swap(request_.body);
      GiveBack();
    }
    return true;
  }

  // Called when the request is complete, and again when the connection goes on.
  MHD_Result Proceed() {
    if (!std::exchange(is_complete_, true)) {
      if (inflater_ != nullptr && !inflater_->is_complete() && !wrong_.has_value()) {
        wrong_ = Damaged();
      }
      if (wrong_.has_value()) {
        Respond([this] { return *wrong_; });
      } else if (!server_->Begin(entry_)) {
        Respond([this] {
          return server_->Error(MHD_HTTP_SERVICE_UNAVAILABLE, "the server is going away");
        });
      } else {
        is_handled_ = true;
        Handle();
      }
    }
    MakeHttpResponse make;
    {
      MutexLock lock(&mutex_);
      make = std::move(make_response_);
      if (make == nullptr) {
        is_suspended_ = true;
        MHD_suspend_connection(connection_);
        return MHD_YES;
      }
    }
    HttpResponse response = Made(make);
    Compress(&response);
    // A client that does not read keeps it for long.
    if (response.body.size() > kLargeResponse && !Take(response.body.size())) response = NoMemory();
    const MHD_Result queued = Queue(connection_, response, server_->options_.keep_alive);
    if (std::exchange(is_handled_, false)) server_->EndHandling(entry_);
    return queued;
  }

  // Called on a thread of the server when the response is sent, or will not be. Others may still
  // have the object, but no longer use the server.
  void Complete() {
    if (std::exchange(is_handled_, false)) server_->EndHandling(entry_);
    server_->EndReplying(entry_);
    GiveBack();
  }

 private:
  // The smallest body that is compressed.
  static constexpr std::size_t kLeastCompressed = 1024;
  // The smallest body of a response that counts as memory.
  static constexpr std::size_t kLargeResponse = 65536;
  // Bodies of up to so many times the most bytes are read and thrown away.
  static constexpr std::size_t kDiscarded = 4;
  // So large that it is too large.
  static constexpr std::size_t kManyBytes = std::size_t{1} << 50;

  HttpResponse TooLarge(std::size_t bytes) const {
    return server_->Error(MHD_HTTP_CONTENT_TOO_LARGE,
                          absl::StrCat("the body has ", bytes, " bytes or more; wanted at most ",
                                       server_->options_.body_bytes));
  }

  HttpResponse NoMemory() const {
    return server_->Error(MHD_HTTP_SERVICE_UNAVAILABLE,
                          "all requests together take too much memory; try again later");
  }
  bool Take(std::size_t bytes) {
    if (!server_->TakeMemory(request_.peer, bytes)) return false;
    taken_ += bytes;
    return true;
  }
  void GiveBack() { server_->GiveBack(request_.peer, std::exchange(taken_, 0)); }

  HttpResponse Damaged() const {
    return server_->Error(MHD_HTTP_BAD_REQUEST,
                          "the body is damaged or cut off, or not compressed as its headers say");
  }

  // Compresses the body, if that is worth it and the client can take it.
  void Compress(HttpResponse* response) const {
    if (response->body.size() < kLeastCompressed ||
        !AcceptsGzip(request_.Header("accept-encoding").value_or(""))) {
      return;
    }
    std::string compressed = Gzip(response->body);
    if (compressed.empty()) return;
    response->body = std::move(compressed);
    response->headers.emplace_back(MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
  }

  void Respond(MakeHttpResponse make) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    make_response_ = std::move(make);
    if (is_suspended_) {
      is_suspended_ = false;
      MHD_resume_connection(connection_);
    }
  }

  void Handle() {
    try {
      server_->handler_(request_, [self = shared_from_this()](MakeHttpResponse make) {
        self->Respond(std::move(make));
      });
    } catch (...) {
      Respond(
          [error = std::current_exception()]() -> HttpResponse { std::rethrow_exception(error); });
    }
  }

  HttpResponse Made(const MakeHttpResponse& make) const {
    std::string what = "an exception of an unknown type";
    try {
      return make();
    } catch (const std::exception& error) {
      what = error.what();
    } catch (...) {
    }
    spdlog::error("HTTP request for {}: {}", Printable(request_.path), what);
    return server_->Error(MHD_HTTP_INTERNAL_SERVER_ERROR,
                          "the server could not make this page; its log says why");
  }

  HttpServer* const server_;
  MHD_Connection* const connection_;
  Connection* const entry_;
  const Instant receive_by_;
  HttpRequest request_;
  std::size_t received_ = 0;            // bytes of the body
  std::size_t taken_ = 0;               // of the server's memory
  std::unique_ptr<Inflater> inflater_;  // null unless the body is compressed
  std::optional<HttpResponse> wrong_;   // the response to a body that is not handled
  bool is_complete_ = false;
  bool is_handled_ = false;  // from Begin to EndHandling
  Mutex mutex_;
  MakeHttpResponse make_response_ ABSL_GUARDED_BY(mutex_);  // null until there is a response
  bool is_suspended_ ABSL_GUARDED_BY(mutex_) = false;
};

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
        const std::optional<HttpResponse> error = begun.CheckHead(path, method);
        return error.has_value()
                   ? Queue(connection, *error, static_cast<HttpServer*>(self)->options_.keep_alive)
                   : MHD_YES;
      }
      Exchange& exchange = **static_cast<Owned*>(*context);
      if (*body_size == 0) return exchange.Proceed();
      const bool received = exchange.Receive({body, *body_size});
      *body_size = 0;
      return received ? MHD_YES : MHD_NO;
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
      *context = server->AddConnection(
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
          PeerOf(connection));
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
  MutexLock lock(&mutex_);
  connections_.remove_if([connection](const Connection& one) { return &one == connection; });
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
  if (chosen.threads > 1) {
    items.push_back({MHD_OPTION_THREAD_POOL_SIZE, chosen.threads, nullptr});
  }
  items.push_back({MHD_OPTION_END, 0, nullptr});
  server->daemon_ = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr,
      &Callbacks::OnRequest, server.get(), MHD_OPTION_LISTEN_SOCKET, bound->descriptor,
      MHD_OPTION_CONNECTION_LIMIT, connection_limit, MHD_OPTION_CONNECTION_TIMEOUT, silence,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, chosen.header_bytes, MHD_OPTION_NOTIFY_CONNECTION,
      &Callbacks::OnConnection, server.get(), MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::OnCompleted,
      nullptr, MHD_OPTION_ARRAY, items.data(), MHD_OPTION_END);
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
