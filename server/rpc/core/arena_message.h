// A protobuf message, and all other memory that a call needs, on an arena of its own.
#ifndef HELLOCNN_SERVER_RPC_CORE_ARENA_MESSAGE_H_
#define HELLOCNN_SERVER_RPC_CORE_ARENA_MESSAGE_H_

#include <google/protobuf/arena.h>

#include <cstddef>

namespace hellocnn::server {

// The response to many images has hundreds of small objects. On an arena, they do not need one
// allocation each. The first block of the arena is a part of this object and large enough for a few
// images. Thread-compatible.
template <typename Proto>
class ArenaMessage {
 public:
  ArenaMessage() { Create(); }

  // Makes the message empty, and frees all memory beyond the first block.
  void Clear() {
    arena_.Reset();
    Create();
  }

  Proto* get() { return message_; }
  Proto* operator->() { return message_; }
  Proto& operator*() { return *message_; }
  // Returns the arena, for memory with the lifetime of the message: views of images, copies of
  // images that were received in pieces, and log-probabilities.
  google::protobuf::Arena* arena() { return &arena_; }

 private:
  void Create() { message_ = google::protobuf::Arena::CreateMessage<Proto>(&arena_); }

  // The first block serves the thread that has created or cleared the arena. Each other thread gets
  // a block of the same size, so that it needs only one allocation.
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
  Proto* message_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_ARENA_MESSAGE_H_
