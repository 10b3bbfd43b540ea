// Facts about the server that are known before it serves and never change.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_SERVER_INFO_H_
#define HELLOCNN_SERVER_OBSERVABILITY_SERVER_INFO_H_

#include <string>

namespace hellocnn::server {

struct ServerInfo {
  std::string version;
  std::string compiler;
  std::string libtorch;
  std::string grpc;
  int workers = 0;
  int queue_capacity = 0;  // images, of the queue of each version
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_SERVER_INFO_H_
