// The seam between load and what it is made of: what is sent, and how an answer is judged.
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

// What an answer says.
struct Verdict {
  int code = grpc::OK;   // a grpc::StatusCode, or whatever else a server sends
  std::string message;   // of an error
  std::uint64_t id = 0;  // which request of a stream this answers
  int images = 0;        // answered
  int wrong = 0;         // of these, those that differ from their label
  // As the server says; batch_size 0: it says nothing.
  std::chrono::nanoseconds queue{0};
  std::chrono::nanoseconds compute{0};
  int batch_size = 0;
};

// Reads answers for one thread, and may keep memory between them.
class Judge {
 public:
  virtual ~Judge() = default;
  // `answer` came for request `index` of the protocol. Sets all of `verdict`. An answer that breaks
  // the protocol is INTERNAL.
  virtual void Read(grpc::ByteBuffer& answer, Verdict& verdict) = 0;
  // After Read, and only if that said OK: compares with the labels of request `index`, if it has
  // any, and sets what that changes.
  virtual void Compare(std::size_t index, Verdict& verdict) = 0;
};

// Requests are made once, ahead; all is immutable and thread-safe.
class Protocol {
 public:
  virtual ~Protocol() = default;
  // "/package.Service/Method"
  virtual const std::string& method() const = 0;
  // Many requests over one call, matched with their answers by id; else one call for each.
  virtual bool streaming() const = 0;
  // How many different requests there are, >= 1.
  virtual std::size_t requests() const = 0;
  virtual int images_per_request() const = 0;
  virtual bool has_labels() const = 0;
  // Request `index` as sent, sharing the bytes; with `id`, if this is a stream.
  virtual grpc::ByteBuffer Request(std::size_t index, std::uint64_t id) const = 0;
  virtual std::unique_ptr<Judge> NewJudge() const = 0;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_PROTOCOL_H_
