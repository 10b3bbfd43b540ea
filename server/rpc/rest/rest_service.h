// The server's methods over HTTP: the Open Inference Protocol in JSON, pictures as they are, and a
// page to try them.
#ifndef HELLOCNN_SERVER_RPC_REST_REST_SERVICE_H_
#define HELLOCNN_SERVER_RPC_REST_REST_SERVICE_H_

#include <google/protobuf/message.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/access/access_control.h"
#include "server/access/principal.h"
#include "server/http/http_server.h"
#include "server/rpc/transport/local/local_calls.h"
#include "server/serving/model_registry.h"

namespace hellocnn::server {

// Returns the status of HTTP for one of gRPC, as google/rpc/code.proto pairs them.
unsigned HttpStatusOf(absl::StatusCode code);

// Serves these paths:
//   /v2…       the Open Inference Protocol: docs/open-inference.md lists them
//   /classify  takes a picture file, which is decoded on the thread of the HTTP server
//   /          a page on which a digit can be drawn
// Every other path gets 404. Every error is JSON, {"error": "…"}, but for those of headers that are
// malformed or too large.
//
// Thread-safe. Must outlive the HTTP server that calls it.
class RestService {
 public:
  // Requests become calls of the methods of `calls`. Pictures are prepared for a model of `models`.
  // `cors_origin` is who may use the service from pages of others: an origin, "*" for all, or ""
  // for nobody. `access` says who calls, before a large request is read; null if everybody may do
  // everything. The pointers must outlive the service.
  RestService(LocalCalls* calls, const ModelRegistry* models, std::string cors_origin,
              const AccessControl* access);

  // The handler of an HTTP server.
  void Handle(const HttpRequest& http, HttpServer::Responder respond) const;

  // Makes the response to a request that does not reach Handle.
  HttpResponse Reject(unsigned status, const std::string& what) const {
    return WithCors(Error(status, what));
  }

 private:
  HttpResponse Error(unsigned status, const std::string& what) const;
  // What a path below /v2/models/ names.
  struct ModelPath {
    std::string model;
    std::string version;  // "" for the current one
    std::string action;   // "infer", or "" for the model itself
  };

  void HandleV2(const HttpRequest& http, const HttpServer::Responder& respond) const;
  void HandleModel(const HttpRequest& http, const ModelPath& path,
                   const HttpServer::Responder& respond) const;
  void HandleRepository(const HttpRequest& http, const std::vector<std::string>& parts,
                        const HttpServer::Responder& respond) const;
  // Calls a method. `make` makes the response of the bytes of its message, on a thread of the HTTP
  // server; an error of the method becomes one of HTTP.
  void CallThen(LocalCalls::Request request, const HttpServer::Responder& respond,
                std::function<HttpResponse(const std::string& bytes)> make) const;
  // Returns whether the client may call `method`, a path, for `model`: this is to be known before a
  // request is read that takes long to read. Sets who it is. If not, calls the method with `bare`,
  // which names the model and has no image: the call says why it is rejected, and counts.
  bool MayCall(const HttpRequest& http, const std::string& method, const std::string& model,
               const google::protobuf::Message& bare, const HttpServer::Responder& respond,
               std::shared_ptr<const Principal>* caller) const;
  // Calls a method of the Open Inference Protocol. By default, all of its message is the response,
  // as JSON.
  template <typename Response>
  void Call(const HttpRequest& http, const char* method, const google::protobuf::Message& request,
            const HttpServer::Responder& respond,
            std::function<HttpResponse(const Response&)> make = &WholeMessage<Response>) const;
  template <typename Response>
  static HttpResponse WholeMessage(const Response& response);
  void Infer(const HttpRequest& http, const ModelPath& path,
             const HttpServer::Responder& respond) const;
  void NotFound(const HttpRequest& http, const HttpServer::Responder& respond) const;
  void NotAllowed(const HttpRequest& http, const char* wanted,
                  const HttpServer::Responder& respond) const;
  // Returns false if the page of another origin makes a browser post this.
  bool MayPost(const HttpRequest& http) const;
  void Classify(const HttpRequest& http, const HttpServer::Responder& respond) const;
  HttpResponse ErrorOf(const absl::Status& status) const;
  // Adds what browsers want to know.
  HttpResponse WithCors(HttpResponse response) const;

  LocalCalls* const calls_;
  const ModelRegistry* const models_;
  const std::string cors_origin_;
  const AccessControl* const access_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REST_REST_SERVICE_H_
