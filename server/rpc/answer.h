// An answer, and all else that a call has memory for, on an arena of its own.
#ifndef HELLOCNN_SERVER_RPC_ANSWER_H_
#define HELLOCNN_SERVER_RPC_ANSWER_H_

#include <google/protobuf/arena.h>

#include <cstddef>

namespace hellocnn::server {

// The answer to many images is hundreds of small objects, which malloc would be asked for one by
// one. The first block of the arena is a part of this object and enough for a few images.
// Thread-compatible.
template <typename Response>
class Answer {
 public:
  Answer() { Create(); }

  // Makes it empty, and gives back what it took beyond the first block.
  void Clear() {
    arena_.Reset();
    Create();
  }

  Response* response() { return response_; }
  // For what goes with it: views of the images, copies of those in pieces, predictions.
  google::protobuf::Arena* arena() { return &arena_; }

 private:
  void Create() { response_ = google::protobuf::Arena::CreateMessage<Response>(&arena_); }

  // The first block serves the thread that has made or cleared the arena, others get one each: as
  // large, for it is one allocation then.
  static google::protobuf::ArenaOptions Options(char* block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kBlock;
    options.start_block_size = kBlock;
    return options;
  }

  static constexpr std::size_t kBlock = 2048;
  alignas(std::max_align_t) char block_[kBlock];
  google::protobuf::Arena arena_{Options(block_)};
  Response* response_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ANSWER_H_
