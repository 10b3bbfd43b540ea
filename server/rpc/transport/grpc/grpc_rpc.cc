#include "server/rpc/transport/grpc/grpc_rpc.h"

#include "server/rpc/transport/grpc/grpc_service.h"

namespace hellocnn::server {
namespace {

// Both have the codes of google.rpc.Code.
grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return {static_cast<grpc::StatusCode>(status.raw_code()), std::string(status.message())};
}

}  // namespace

void GrpcUnaryRpc::Listen() {
  Begin();
  writer_.emplace(context());
  service_->RequestUnary(method_, context(), request_.bytes(), &*writer_, queue(), arrived_tag());
}

void GrpcUnaryRpc::OnArrival() { service_->ListenUnary(method_); }

void GrpcUnaryRpc::Finish(const absl::Status& status, std::span<const Trailer> trailers) {
  request_.Clear();
  Add(status, trailers);
  if (!status.ok()) return writer_->FinishWithError(ToGrpc(status), finished_tag());
  grpc::ByteBuffer response;  // another call may use the object before Finish returns
  response.Swap(response_.bytes());
  if (!response.Valid()) response = grpc::ByteBuffer(nullptr, 0);  // else there would be no message
  writer_->Finish(response, grpc::Status::OK, finished_tag());
}

void GrpcUnaryRpc::Recycle() {
  request_.Clear();
  response_.Clear();
  writer_.reset();
  Clear();
  service_->Keep(method_, std::unique_ptr<GrpcUnaryRpc>(this));
}

void GrpcStreamRpc::Listen() {
  Begin();
  stream_.emplace(context());
  service_->RequestStream(method_, context(), &*stream_, queue(), arrived_tag());
}

void GrpcStreamRpc::OnArrival() {
  service_->ListenStream(method_);
  handler_ = service_->MakeHandler(method_, this);
}

void GrpcStreamRpc::Read(Message* request) {
  Hold();
  request->Clear();
  stream_->Read(static_cast<GrpcMessage*>(request)->bytes(), read_.tag());
}

void GrpcStreamRpc::Write(Message* response) {
  Hold();
  stream_->Write(*static_cast<GrpcMessage*>(response)->bytes(), written_.tag());
}

void GrpcStreamRpc::Finish(const absl::Status& status, std::span<const Trailer> trailers) {
  Add(status, trailers);
  stream_->Finish(ToGrpc(status), finished_tag());
}

}  // namespace hellocnn::server
