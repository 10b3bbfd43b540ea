// The bytes of a message in pieces, as a network may deliver them.
#ifndef HELLOCNN_TESTS_TESTING_PIECES_H_
#define HELLOCNN_TESTS_TESTING_PIECES_H_

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace hellocnn::testing {

// Owns its bytes. Each piece has memory of its own, so that a sanitizer sees a read beyond its end.
class Pieces {
 public:
  // Cuts `bytes` at these places, in any order. Pieces may be empty.
  static Pieces CutAt(const std::string& bytes, std::vector<std::size_t> cuts) {
    cuts.push_back(bytes.size());
    std::sort(cuts.begin(), cuts.end());
    Pieces pieces;
    std::size_t from = 0;
    for (const std::size_t to : cuts) {
      pieces.Add(bytes.substr(from, to - from));
      from = to;
    }
    return pieces;
  }
  // Cuts `bytes` into pieces of at most `most` bytes.
  static Pieces CutEvery(const std::string& bytes, std::size_t most) {
    Pieces pieces;
    for (std::size_t at = 0; at < bytes.size(); at += std::min(most, bytes.size())) {
      pieces.Add(bytes.substr(at, most));
    }
    return pieces;
  }

  std::size_t size() const { return size_; }
  const std::vector<std::unique_ptr<std::vector<char>>>& pieces() const { return pieces_; }

  // Returns a stream of the bytes, which is valid until the next call.
  google::protobuf::io::ZeroCopyInputStream* Stream() {
    streams_.clear();
    inputs_.clear();
    for (const auto& piece : pieces_) {
      streams_.push_back(std::make_unique<google::protobuf::io::ArrayInputStream>(
          piece->data(), static_cast<int>(piece->size())));
      inputs_.push_back(streams_.back().get());
    }
    all_ = std::make_unique<google::protobuf::io::ConcatenatingInputStream>(
        inputs_.data(), static_cast<int>(inputs_.size()));
    return all_.get();
  }

 private:
  void Add(const std::string& piece) {
    pieces_.push_back(std::make_unique<std::vector<char>>(piece.begin(), piece.end()));
    size_ += piece.size();
  }

  std::vector<std::unique_ptr<std::vector<char>>> pieces_;
  std::size_t size_ = 0;
  std::vector<std::unique_ptr<google::protobuf::io::ArrayInputStream>> streams_;
  std::vector<google::protobuf::io::ZeroCopyInputStream*> inputs_;
  std::unique_ptr<google::protobuf::io::ConcatenatingInputStream> all_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_PIECES_H_
