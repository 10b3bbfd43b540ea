#include "server/rpc/reflection/reflection_service.h"

#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "hellocnn/v1/classifier_service.pb.h"
#include "tests/testing/fake_transport.h"

namespace hellocnn::server {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

class ReflectionServiceTest : public ::testing::Test {
 protected:
  ServerReflectionResponse OfSymbol(const std::string& symbol) const {
    ServerReflectionRequest request;
    request.set_file_containing_symbol(symbol);
    return reflection_.Respond(request);
  }

  ReflectionService reflection_{{"hellocnn.v1.ClassifierService"}};
};

// As a client does that knows nothing.
bool Build(const ServerReflectionResponse& response, DescriptorPool* pool) {
  const auto& files = response.file_descriptor_response().file_descriptor_proto();
  for (auto file = files.rbegin(); file != files.rend(); ++file) {
    FileDescriptorProto proto;
    if (!proto.ParseFromString(*file) || pool->BuildFile(proto) == nullptr) return false;
  }
  return !files.empty();
}

TEST_F(ReflectionServiceTest, ListsServicesAndItself) {
  ServerReflectionRequest request;
  request.set_host("somewhere");
  request.set_list_services("*");
  const ServerReflectionResponse response = reflection_.Respond(request);
  std::set<std::string> names;
  for (const auto& service : response.list_services_response().service()) {
    names.insert(service.name());
  }
  EXPECT_EQ(names, (std::set<std::string>{"hellocnn.v1.ClassifierService",
                                          "grpc.reflection.v1.ServerReflection",
                                          "grpc.reflection.v1alpha.ServerReflection"}));
  EXPECT_EQ(response.valid_host(), "somewhere");
  EXPECT_EQ(response.original_request().SerializeAsString(), request.SerializeAsString());
}

TEST_F(ReflectionServiceTest, AFileComesWithItsImports) {
  for (const char* symbol :
       {"hellocnn.v1.ClassifierService", "hellocnn.v1.ClassifierService.Classify",
        "hellocnn.v1.Image", "hellocnn.v1.Image.gray8", "hellocnn.v1.PRIORITY_LOW"}) {
    DescriptorPool pool;
    ASSERT_TRUE(Build(OfSymbol(symbol), &pool)) << symbol;
    const auto* service = pool.FindServiceByName("hellocnn.v1.ClassifierService");
    ASSERT_NE(service, nullptr);
    EXPECT_EQ(service->FindMethodByName("Classify")->input_type()->field_count(),
              v1::ClassifyRequest::descriptor()->field_count());
  }
}

TEST_F(ReflectionServiceTest, AFileCanBeAskedForByName) {
  ServerReflectionRequest request;
  request.set_file_by_filename("google/protobuf/duration.proto");
  DescriptorPool pool;
  ASSERT_TRUE(Build(reflection_.Respond(request), &pool));
  EXPECT_NE(pool.FindMessageTypeByName("google.protobuf.Duration"), nullptr);
}

TEST_F(ReflectionServiceTest, BothVersionsDescribeThemselves) {
  for (const std::string package : {"grpc.reflection.v1", "grpc.reflection.v1alpha"}) {
    DescriptorPool pool;
    ASSERT_TRUE(Build(OfSymbol(package + ".ServerReflection"), &pool)) << package;
    const auto* service = pool.FindServiceByName(package + ".ServerReflection");
    ASSERT_NE(service, nullptr);
    EXPECT_EQ(service->method(0)->output_type()->full_name(),
              package + ".ServerReflectionResponse");
    EXPECT_TRUE(service->method(0)->client_streaming());
  }
}

TEST_F(ReflectionServiceTest, ExtensionsAreKnownWhereThereAreSome) {
  ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("hellocnn.v1.Image");
  const ServerReflectionResponse response = reflection_.Respond(request);
  const auto& numbers = response.all_extension_numbers_response();
  EXPECT_EQ(numbers.base_type_name(), "hellocnn.v1.Image");
  EXPECT_EQ(numbers.extension_number_size(), 0);
}

TEST_F(ReflectionServiceTest, WhatThereIsNotIsNamed) {
  ServerReflectionRequest file;
  file.set_file_by_filename("no\nsuch.proto");
  ServerReflectionRequest extension;
  extension.mutable_file_containing_extension()->set_containing_type("hellocnn.v1.Image");
  extension.mutable_file_containing_extension()->set_extension_number(7);
  ServerReflectionRequest numbers;
  numbers.set_all_extension_numbers_of_type("a.B");
  const struct {
    ServerReflectionResponse response;
    int code;
    std::string message;
  } cases[] = {
      {OfSymbol("hellocnn.v1.Nothing"), 5, "there is no symbol hellocnn.v1.Nothing"},
      {reflection_.Respond(file), 5, "there is no file no\\nsuch.proto"},
      {reflection_.Respond(extension), 5, "there is no extension 7 of hellocnn.v1.Image"},
      {reflection_.Respond(numbers), 5, "there is no message a.B"},
      {reflection_.Respond({}), 3,
       "the request has no question; wanted a file, a symbol, an extension, or list_services"},
  };
  for (const auto& wanted : cases) {
    EXPECT_EQ(wanted.response.error_response().error_code(), wanted.code);
    EXPECT_EQ(wanted.response.error_response().error_message(), wanted.message);
  }
}

// A stream of the service, as a transport carries it.
class ReflectionStreamTest : public ReflectionServiceTest {
 protected:
  ReflectionStreamTest() { rpc_.Call(services_[1].streams[0].make_handler(&rpc_)); }

  const std::vector<Service> services_ = reflection_.Describe();
  testing::FakeStreamRpc rpc_;
};

TEST_F(ReflectionStreamTest, EachRequestGetsItsResponse) {
  ServerReflectionRequest request;
  request.set_file_containing_symbol("hellocnn.v1.Nothing");
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(rpc_.Send(request.SerializeAsString()));
    ServerReflectionResponse response;
    ASSERT_TRUE(response.ParseFromString(rpc_.Take().value()));
    EXPECT_TRUE(response.has_error_response());
  }
  rpc_.HalfClose();
  EXPECT_TRUE(rpc_.WaitUntilOver().ok());
}

TEST_F(ReflectionStreamTest, BytesThatAreNoRequestEndTheStream) {
  ASSERT_TRUE(rpc_.Send("\xff"));
  EXPECT_EQ(rpc_.WaitUntilOver().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ReflectionStreamTest, CancellingEndsIt) {
  rpc_.Cancel();
  EXPECT_EQ(rpc_.WaitUntilOver().code(), absl::StatusCode::kCancelled);
}

TEST_F(ReflectionStreamTest, CancellingDuringAWriteEndsItAfterTheWrite) {
  ServerReflectionRequest request;
  request.set_list_services("");
  ASSERT_TRUE(rpc_.Send(request.SerializeAsString()));
  rpc_.Cancel();
  EXPECT_FALSE(rpc_.Take().has_value());
  EXPECT_EQ(rpc_.WaitUntilOver().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace hellocnn::server
