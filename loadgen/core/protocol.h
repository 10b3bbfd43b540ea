// The interface between the load generator and a protocol: what is sent, and how a response is
// judged.
#ifndef HELLOCNN_LOADGEN_CORE_PROTOCOL_H_
#define HELLOCNN_LOADGEN_CORE_PROTOCOL_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace hellocnn::load {

// What a response says.
struct Verdict {
  int code = grpc::OK;   // a grpc::StatusCode, or whatever else a server sends
  std::string message;   // of an error
  std::uint64_t id = 0;  // which request of a stream this responds to
  int images = 0;        // number of images that were classified
  int wrong = 0;         // number of these that differ from their label
  // As the server reports them. If batch_size is 0, it reported nothing.
  std::chrono::nanoseconds queue{0};
  std::chrono::nanoseconds compute{0};
  int batch_size = 0;
};

// Reads responses for one thread, and may keep memory between them.
class Judge {
 public:
  virtual ~Judge() = default;
  // Reads `answer`, the response to request `index` of the protocol, and sets all of `verdict`. A
  // response that breaks the protocol is INTERNAL.
  virtual void Read(grpc::ByteBuffer& answer, Verdict& verdict) = 0;
  // Compares the response with the labels of request `index`, if it has any, and updates `verdict`.
  // To be called only after a Read that found OK.
  virtual void Compare(std::size_t index, Verdict& verdict) = 0;
};

// Requests are made once, in advance. A protocol is immutable and thread-safe.
class Protocol {
 public:
  virtual ~Protocol() = default;
  // "/package.Service/Method"
  virtual const std::string& method() const = 0;
  // Returns true if one call carries many requests, whose responses are matched by id. Otherwise
  // each request is a call.
  virtual bool streaming() const = 0;
  // Returns the number of different requests, >= 1.
  virtual std::size_t requests() const = 0;
  virtual int images_per_request() const = 0;
  virtual bool has_labels() const = 0;
  // Returns request `index` as it is sent, without copying its bytes. On a stream, it carries `id`.
  virtual grpc::ByteBuffer Request(std::size_t index, std::uint64_t id) const = 0;
  virtual std::unique_ptr<Judge> NewJudge() const = 0;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_PROTOCOL_H_
