#include "server/http/exchange.h"

#include <microhttpd.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

// The smallest body that is compressed.
constexpr std::size_t kLeastCompressed = 1024;
// The smallest body of a response that counts as memory.
constexpr std::size_t kLargeResponse = 65536;
// Bodies of up to so many times the most bytes are read and thrown away.
constexpr std::size_t kDiscarded = 4;
// So large that it is too large.
constexpr std::size_t kManyBytes = std::size_t{1} << 50;

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

HttpServer::Exchange::Exchange(HttpServer* server, MHD_Connection* connection)
    : server_(server),
      connection_(connection),
      entry_(static_cast<Connection*>(
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context)),
      receive_by_(Clock::Monotonic()->Now() + server->options_.receive_timeout) {}

bool HttpServer::Exchange::TakeHead(const char* path, const char* method) {
  const std::optional<HttpResponse> error = CheckHead(path, method);
  return !error.has_value() || Queue(*error);
}

std::optional<HttpResponse> HttpServer::Exchange::CheckHead(const char* path, const char* method) {
  const Options& options = server_->options_;
  request_.method = method;
  request_.path = PathOf(path);
  request_.headers = ValuesOf(connection_, MHD_HEADER_KIND);
  request_.query = ValuesOf(connection_, MHD_GET_ARGUMENT_KIND);
  request_.peer = entry_->address;
  if (entry_->tls != nullptr) {
    request_.certificate_names = entry_->tls->names();
    request_.principal = entry_->tls->principal();
  }
  if (std::find(options.methods.begin(), options.methods.end(), method) == options.methods.end()) {
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
  const std::string encoding =
      absl::AsciiStrToLower(std::string(request_.Header("content-encoding").value_or("identity")));
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

bool HttpServer::Exchange::Receive(std::string_view part) {
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

bool HttpServer::Exchange::Proceed() {
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
      return true;
    }
  }
  HttpResponse response = Made(make);
  Compress(&response);
  // A client that does not read keeps it for long.
  if (response.body.size() > kLargeResponse && !Take(response.body.size())) response = NoMemory();
  const bool queued = Queue(response);
  if (std::exchange(is_handled_, false)) server_->EndHandling(entry_);
  return queued;
}

void HttpServer::Exchange::Complete() {
  if (std::exchange(is_handled_, false)) server_->EndHandling(entry_);
  server_->EndReplying(entry_);
  GiveBack();
}

HttpResponse HttpServer::Exchange::TooLarge(std::size_t bytes) const {
  return server_->Error(MHD_HTTP_CONTENT_TOO_LARGE,
                        absl::StrCat("the body has ", bytes, " bytes or more; wanted at most ",
                                     server_->options_.body_bytes));
}

HttpResponse HttpServer::Exchange::NoMemory() const {
  return server_->Error(MHD_HTTP_SERVICE_UNAVAILABLE,
                        "all requests together take too much memory; try again later");
}

bool HttpServer::Exchange::Take(std::size_t bytes) {
  if (!server_->TakeMemory(request_.peer, bytes)) return false;
  taken_ += bytes;
  return true;
}

void HttpServer::Exchange::GiveBack() {
  server_->GiveBack(request_.peer, std::exchange(taken_, 0));
}

HttpResponse HttpServer::Exchange::Damaged() const {
  return server_->Error(MHD_HTTP_BAD_REQUEST,
                        "the body is damaged or cut off, or not compressed as its headers say");
}

void HttpServer::Exchange::Compress(HttpResponse* response) const {
  if (response->body.size() < kLeastCompressed ||
      !AcceptsGzip(request_.Header("accept-encoding").value_or(""))) {
    return;
  }
  std::string compressed = Gzip(response->body);
  if (compressed.empty()) return;
  response->body = std::move(compressed);
  response->headers.emplace_back(MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
}

void HttpServer::Exchange::Respond(MakeHttpResponse make) {
  MutexLock lock(&mutex_);
  make_response_ = std::move(make);
  if (is_suspended_) {
    is_suspended_ = false;
    MHD_resume_connection(connection_);
  }
}

void HttpServer::Exchange::Handle() {
  try {
    server_->handler_(request_, [self = shared_from_this()](MakeHttpResponse make) {
      self->Respond(std::move(make));
    });
  } catch (...) {
    Respond(
        [error = std::current_exception()]() -> HttpResponse { std::rethrow_exception(error); });
  }
}

HttpResponse HttpServer::Exchange::Made(const MakeHttpResponse& make) const {
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

bool HttpServer::Exchange::Queue(const HttpResponse& response) const {
  // The library copies the body and does not write to it.
  MHD_Response* queued = MHD_create_response_from_buffer(
      response.body.size(), const_cast<char*>(response.body.data()), MHD_RESPMEM_MUST_COPY);
  if (queued == nullptr) return false;
  MHD_add_response_header(queued, MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type.c_str());
  MHD_add_response_header(queued, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
  MHD_add_response_header(queued, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT_ENCODING);
  for (const auto& [name, value] : response.headers) {
    MHD_add_response_header(queued, name.c_str(), value.c_str());
  }
  if (!server_->options_.keep_alive) {
    MHD_add_response_header(queued, MHD_HTTP_HEADER_CONNECTION, "close");
  }
  const MHD_Result result = MHD_queue_response(connection_, response.status, queued);
  MHD_destroy_response(queued);
  return result == MHD_YES;
}

}  // namespace hellocnn::server
