#include "server/rpc/reflection/reflection_service.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/mutex.h"
#include "base/shown.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1::FileDescriptorResponse;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

// Reads a request and writes its response, again and again.
class ReflectionCall final : public StreamHandler {
 public:
  ReflectionCall(const ReflectionService* reflection, StreamRpc* rpc)
      : reflection_(reflection), rpc_(rpc), message_(rpc->MakeMessage()) {}

 private:
  void OnCall() override {
    MutexLock lock(&mutex_);
    Continue();
  }
  void OnRead(bool ok) override {
    ServerReflectionRequest request;
    absl::Status status;
    if (ok) status = Parse(message_.get(), &request);
    const bool has_response = ok && status.ok();
    if (has_response) Serialize(reflection_->Respond(request), message_.get());
    MutexLock lock(&mutex_);
    reading_ = false;
    if (!has_response) {
      End(status);
    } else if (!end_.has_value()) {
      writing_ = true;
      rpc_->Write(message_.get());
    }
    Continue();
  }
  void OnWritten(bool ok) override {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) End(absl::CancelledError("the caller is gone"));
    Continue();
  }
  void OnCancel() override {
    MutexLock lock(&mutex_);
    End(absl::CancelledError("the call was cancelled, or the server shuts down"));
    Continue();
  }

  // Lets the call end. The first status counts.
  void End(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!end_.has_value()) end_ = std::move(status);
  }
  // Reads the next request, or finishes the call if it is to end, unless a write is outstanding.
  // Only functions that the transport calls call this, so the handler outlives it.
  void Continue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || writing_) return;
    if (end_.has_value()) {
      finished_ = true;
      rpc_->Finish(*end_);
    } else if (!reading_) {
      reading_ = true;
      rpc_->Read(message_.get());
    }
  }

  const ReflectionService* const reflection_;
  StreamRpc* const rpc_;
  const std::unique_ptr<Message> message_;  // each request, and then its response

  Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // set once the call is to end
};

// Adds the file and what it imports, each once.
void AddWithImports(const FileDescriptor& file, std::set<const FileDescriptor*>* added,
                    FileDescriptorResponse* response) {
  if (!added->insert(&file).second) return;
  FileDescriptorProto proto;
  file.CopyTo(&proto);
  response->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddWithImports(*file.dependency(i), added, response);
  }
}

void SetError(absl::StatusCode code, const std::string& message,
              ServerReflectionResponse* response) {
  response->mutable_error_response()->set_error_code(static_cast<int>(code));
  response->mutable_error_response()->set_error_message(message);
}

// Sets the file as the response, or says that `what` is not known if it is null.
void SetFile(const FileDescriptor* file, const std::string& what,
             ServerReflectionResponse* response) {
  if (file == nullptr) {
    return SetError(absl::StatusCode::kNotFound, absl::StrCat("there is no ", what), response);
  }
  std::set<const FileDescriptor*> added;
  AddWithImports(*file, &added, response->mutable_file_descriptor_response());
}

}  // namespace

ReflectionService::ReflectionService(std::vector<std::string> services)
    : services_(std::move(services)), protos_(google::protobuf::DescriptorPool::generated_pool()) {
  services_.emplace_back(kReflectionService);
  services_.emplace_back(kReflectionServiceAlpha);
  std::sort(services_.begin(), services_.end());
  FileDescriptorProto v1;
  ServerReflectionRequest::descriptor()->file()->CopyTo(&v1);
  std::string text;
  FileDescriptorProto alpha;
  google::protobuf::TextFormat::PrintToString(v1, &text);
  google::protobuf::TextFormat::ParseFromString(
      absl::StrReplaceAll(text, {{"grpc.reflection.v1", "grpc.reflection.v1alpha"}}), &alpha);
  alpha.set_name("server/rpc/reflection/reflection_alpha.proto");
  protos_.BuildFile(alpha);
}

std::vector<Service> ReflectionService::Describe() {
  const auto make = [this](StreamRpc* rpc) { return std::make_shared<ReflectionCall>(this, rpc); };
  std::vector<Service> services;
  for (const char* const name : {kReflectionService, kReflectionServiceAlpha}) {
    services.push_back({.name = name,
                        .unary = {},
                        .streams = {{"ServerReflectionInfo", make, Right::kIntrospect}}});
  }
  return services;
}

ServerReflectionResponse ReflectionService::Respond(const ServerReflectionRequest& request) const {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kFileByFilename:
      SetFile(protos_.FindFileByName(request.file_by_filename()),
              absl::StrCat("file ", Shown(request.file_by_filename())), &response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      SetFile(protos_.FindFileContainingSymbol(request.file_containing_symbol()),
              absl::StrCat("symbol ", Shown(request.file_containing_symbol())), &response);
      break;
    case ServerReflectionRequest::kFileContainingExtension: {
      const grpc::reflection::v1::ExtensionRequest& wanted = request.file_containing_extension();
      const Descriptor* const type = protos_.FindMessageTypeByName(wanted.containing_type());
      const FieldDescriptor* const extension =
          type == nullptr
              ? nullptr
              : type->file()->pool()->FindExtensionByNumber(type, wanted.extension_number());
      SetFile(extension == nullptr ? nullptr : extension->file(),
              absl::StrCat("extension ", wanted.extension_number(), " of ",
                           Shown(wanted.containing_type())),
              &response);
      break;
    }
    case ServerReflectionRequest::kAllExtensionNumbersOfType: {
      const std::string& name = request.all_extension_numbers_of_type();
      const Descriptor* const type = protos_.FindMessageTypeByName(name);
      if (type == nullptr) {
        SetError(absl::StatusCode::kNotFound, absl::StrCat("there is no message ", Shown(name)),
                 &response);
        break;
      }
      std::vector<const FieldDescriptor*> extensions;
      type->file()->pool()->FindAllExtensions(type, &extensions);
      auto& numbers = *response.mutable_all_extension_numbers_response();
      numbers.set_base_type_name(name);
      for (const FieldDescriptor* extension : extensions) {
        numbers.add_extension_number(extension->number());
      }
      break;
    }
    case ServerReflectionRequest::kListServices:
      for (const std::string& service : services_) {
        response.mutable_list_services_response()->add_service()->set_name(service);
      }
      break;
    case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
      SetError(absl::StatusCode::kInvalidArgument,
               "the request has no question; wanted a file, a symbol, an extension, or "
               "list_services",
               &response);
      break;
  }
  return response;
}

}  // namespace hellocnn::server
