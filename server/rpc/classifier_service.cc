#include "server/rpc/classifier_service.h"

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "server/rpc/classify_call.h"
#include "server/rpc/classify_stream.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

v1::GetModelResponse Description(const ModelCard& card, const v1::Limits& limits) {
  v1::GetModelResponse description;
  *description.mutable_model() = DescribeModel(card);
  *description.mutable_limits() = limits;
  return description;
}

}  // namespace

ClassifierService::ClassifierService(const ModelCard& card, const v1::Limits& limits,
                                     Metrics* metrics)
    : serving_{Description(card, limits), metrics, &admission_} {
  SetMessageAllocatorFor_Classify(&classify_messages_);
}

grpc::ServerUnaryReactor* ClassifierService::Classify(grpc::CallbackServerContext* context,
                                                      const v1::ClassifyRequest* request,
                                                      v1::ClassifyResponse* response) {
  return ClassifyCall::Start(&serving_, context, request, response);
}

grpc::ServerBidiReactor<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>*
ClassifierService::ClassifyStream(grpc::CallbackServerContext* context) {
  return server::ClassifyStream::Start(&serving_, context);
}

grpc::ServerUnaryReactor* ClassifierService::GetModel(grpc::CallbackServerContext* context,
                                                      const v1::GetModelRequest* request,
                                                      v1::GetModelResponse* response) {
  const absl::Time start = absl::Now();
  serving_.metrics->OnReceived(Method::kGetModel, request->ByteSizeLong());
  absl::Status status;
  // A draining server still has its model: only a loading one does not know it yet.
  if (admission_.loading()) {
    status = LoadingError();
    serving_.metrics->OnRefused(Refusal::kLoading);
  } else {
    *response = serving_.description;
  }
  serving_.metrics->OnEnd(Method::kGetModel, status.code(), absl::Now() - start,
                          status.ok() ? response->ByteSizeLong() : 0);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpc(status));
  return reactor;
}

}  // namespace hellocnn::server
