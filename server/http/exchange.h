// A request and its response.
#ifndef HELLOCNN_SERVER_HTTP_EXCHANGE_H_
#define HELLOCNN_SERVER_HTTP_EXCHANGE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/http/compression.h"
#include "server/http/http_server.h"

struct MHD_Connection;

namespace hellocnn::server {

// The library's callbacks for one connection come one at a time. The responder may be called on
// another thread meanwhile.
class HttpServer::Exchange : public std::enable_shared_from_this<HttpServer::Exchange> {
 public:
  Exchange(HttpServer* server, MHD_Connection* connection);

  // Takes the head of the request. Sends an error at once, if the head shows one. Returns false if
  // the connection is to be closed.
  bool TakeHead(const char* path, const char* method);
  // Takes a part of the body. Returns false if the connection is to be closed.
  bool Receive(std::string_view part);
  // Called when the request is complete, and again when the connection goes on. Returns false if
  // the connection is to be closed.
  bool Proceed();
  // Called on a thread of the server when the response is sent, or will not be. Others may still
  // have the object, but no longer use the server.
  void Complete();

 private:
  // Returns an error to send at once, if the headers show one.
  std::optional<HttpResponse> CheckHead(const char* path, const char* method);
  HttpResponse TooLarge(std::size_t bytes) const;
  HttpResponse NoMemory() const;
  HttpResponse Damaged() const;
  bool Take(std::size_t bytes);
  void GiveBack();
  // Compresses the body, if that is worth it and the client can take it.
  void Compress(HttpResponse* response) const;
  void Respond(MakeHttpResponse make) ABSL_LOCKS_EXCLUDED(mutex_);
  void Handle();
  HttpResponse Made(const MakeHttpResponse& make) const;
  // Sends the response. Returns false if that cannot be.
  bool Queue(const HttpResponse& response) const;

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

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_HTTP_EXCHANGE_H_
