// The load generator's protocol for hellocnn.v1.ClassifierService: Classify, or ClassifyStream.
#ifndef HELLOCNN_LOADGEN_PROTOCOLS_CLASSIFY_PROTOCOL_H_
#define HELLOCNN_LOADGEN_PROTOCOLS_CLASSIFY_PROTOCOL_H_

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "hellocnn/client/client_types.h"
#include "loadgen/core/images.h"
#include "loadgen/core/protocol.h"

namespace hellocnn::load {

struct ClassifyOptions {
  bool streaming = false;
  int images_per_request = 1;           // >= 1
  std::chrono::nanoseconds timeout{0};  // of each request on a stream, where it must be > 0
  int classes = 10;  // of the model; a response with another number breaks the protocol
  bool low_priority = false;
  client::ModelVersion model;  // if empty, the server's default model
};

// Request i holds images_per_request images, beginning with number i * images_per_request. The last
// request wraps around to the first images.
std::unique_ptr<Protocol> ClassifyProtocol(const Images& images, const ClassifyOptions& options);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_PROTOCOLS_CLASSIFY_PROTOCOL_H_
