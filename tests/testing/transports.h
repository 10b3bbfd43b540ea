// The transports of the server, for tests that all of them must pass.
#ifndef HELLOCNN_TESTS_TESTING_TRANSPORTS_H_
#define HELLOCNN_TESTS_TESTING_TRANSPORTS_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/rpc/transport/grpc/grpc_transport.h"
#include "server/rpc/transport/http2/http2_transport.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::testing {

constexpr int kMaxMessageBytes = 1 << 20;

// Starts the transport of this name on a free port of the loopback. `limits` are for http2.
inline std::unique_ptr<server::Transport> StartTransport(const std::string& name,
                                                         std::vector<server::Service> services,
                                                         const server::Http2Limits& limits = {}) {
  if (name == "grpc") {
    return server::StartGrpcTransport(
               {.listen = "127.0.0.1:0", .max_message_bytes = kMaxMessageBytes}, services)
        .value();
  }
  server::Http2Options options{.listen = "127.0.0.1:0", .limits = limits};
  options.limits.message_bytes = kMaxMessageBytes;
  return server::StartHttp2Transport(options, std::move(services)).value();
}

// Names the parameter of a test.
inline std::string TransportName(const ::testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_TRANSPORTS_H_
