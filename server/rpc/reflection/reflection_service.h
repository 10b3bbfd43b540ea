// Implements grpc.reflection.v1.ServerReflection and its older version v1alpha, with which tools
// call services whose protos they do not have. gRPC's own implementation needs gRPC's server.
#ifndef HELLOCNN_SERVER_RPC_REFLECTION_REFLECTION_SERVICE_H_
#define HELLOCNN_SERVER_RPC_REFLECTION_REFLECTION_SERVICE_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "server/rpc/reflection/reflection.pb.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

inline constexpr char kReflectionService[] = "grpc.reflection.v1.ServerReflection";
inline constexpr char kReflectionServiceAlpha[] = "grpc.reflection.v1alpha.ServerReflection";

// Describes the protos that are linked into the program. Thread-safe. Must outlive the transport
// that serves it.
class ReflectionService {
 public:
  // `services` has the full names of the services that it lists beside its own.
  explicit ReflectionService(std::vector<std::string> services);

  // Returns both versions of the service for a transport.
  std::vector<Service> Describe();

  // Answers one request. What is not known gets an ErrorResponse with NOT_FOUND, and a request
  // without a question one with INVALID_ARGUMENT.
  grpc::reflection::v1::ServerReflectionResponse Respond(
      const grpc::reflection::v1::ServerReflectionRequest& request) const;

 private:
  std::vector<std::string> services_;
  // What is linked into the program, and v1alpha, which is made out of v1.
  google::protobuf::DescriptorPool protos_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REFLECTION_REFLECTION_SERVICE_H_
