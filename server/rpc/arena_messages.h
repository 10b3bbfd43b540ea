// Where gRPC puts the messages of a call: an arena for each call. A request of many images and its
// answer are hundreds of small objects, which malloc would be asked for one by one.
#ifndef HELLOCNN_SERVER_RPC_ARENA_MESSAGES_H_
#define HELLOCNN_SERVER_RPC_ARENA_MESSAGES_H_

#include <google/protobuf/arena.h>
#include <grpcpp/support/message_allocator.h>

#include <cstddef>

namespace hellocnn::server {

// Thread-safe. Must outlive the calls.
template <typename Request, typename Response>
class ArenaMessages : public grpc::MessageAllocator<Request, Response> {
 public:
  grpc::MessageHolder<Request, Response>* AllocateMessages() override { return new Holder(); }

 private:
  // gRPC releases it after the call's OnDone.
  class Holder : public grpc::MessageHolder<Request, Response> {
   public:
    Holder() : arena_(block_, sizeof(block_)) {
      this->set_request(google::protobuf::Arena::CreateMessage<Request>(&arena_));
      this->set_response(google::protobuf::Arena::CreateMessage<Response>(&arena_));
    }
    void Release() override { delete this; }

   private:
    // Enough for a few images; the pixels are not in it.
    alignas(std::max_align_t) char block_[2048];
    google::protobuf::Arena arena_;
  };
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_ARENA_MESSAGES_H_
