// hellocnn.v1.ClassifierService as load: Classify, or ClassifyStream.
#ifndef HELLOCNN_LOADGEN_PROTOCOLS_CLASSIFY_PROTOCOL_H_
#define HELLOCNN_LOADGEN_PROTOCOLS_CLASSIFY_PROTOCOL_H_

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "loadgen/core/images.h"
#include "loadgen/core/protocol.h"

namespace hellocnn::load {

struct ClassifyOptions {
  bool streaming = false;
  int images_per_request = 1;           // >= 1
  std::chrono::nanoseconds timeout{0};  // of a request of a stream, > 0 there
};

// Request i holds images_per_request images from number i * images_per_request on; the last goes on
// with the first images again.
std::unique_ptr<Protocol> ClassifyProtocol(const Images& images, const ClassifyOptions& options);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_PROTOCOLS_CLASSIFY_PROTOCOL_H_
