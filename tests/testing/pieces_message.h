// A message that arrived in pieces, as a network may deliver it.
#ifndef HELLOCNN_TESTS_TESTING_PIECES_MESSAGE_H_
#define HELLOCNN_TESTS_TESTING_PIECES_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "server/rpc/transport/transport.h"
#include "tests/testing/pieces.h"

namespace hellocnn::testing {

// It can only be read. Thread-compatible.
class PiecesMessage final : public server::Message {
 public:
  explicit PiecesMessage(class Pieces pieces) : pieces_(std::move(pieces)) {}

  std::size_t size() const override { return pieces_.size(); }
  google::protobuf::io::ZeroCopyInputStream* Pieces() override { return pieces_.Stream(); }
  std::span<std::uint8_t> Allocate(std::size_t /*size*/) override { return {}; }
  void Clear() override {}

 private:
  class Pieces pieces_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_PIECES_MESSAGE_H_
