// Messages of protobuf as JSON.
#ifndef HELLOCNN_SERVER_RPC_REST_MESSAGE_JSON_H_
#define HELLOCNN_SERVER_RPC_REST_MESSAGE_JSON_H_

#include <google/protobuf/message.h>

#include <nlohmann/json.hpp>

namespace hellocnn::server {

// Returns the message with the names of its fields as they are in the proto, and with all of them
// but messages and members of a oneof that are not set. 64-bit integers are numbers, as clients of
// the Open Inference Protocol want them; protobuf's own mapping has texts. Bytes are Base64.
nlohmann::ordered_json ToJson(const google::protobuf::Message& message);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REST_MESSAGE_JSON_H_
