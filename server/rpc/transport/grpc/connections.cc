#include "server/rpc/transport/grpc/connections.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace hellocnn::server {
namespace {

// Parses one page of a list, a response of grpc.channelz.v1 as JSON, and frees `text`.
nlohmann::json Page(char* text) {
  const std::unique_ptr<char, decltype(&gpr_free)> owner(text, &gpr_free);
  return nlohmann::json::parse(text == nullptr ? "{}" : text, nullptr, /*allow_exceptions=*/false);
}

// Calls `visit` with the id of each entry of a list. gRPC returns the list in pages, each of which
// starts at an id.
void ForEach(const std::function<char*(std::intptr_t)>& page_from, const char* list, const char* id,
             const std::function<void(std::intptr_t)>& visit) {
  std::intptr_t next = 0;
  while (true) {
    const nlohmann::json page = Page(page_from(next));
    if (!page.is_object() || !page.contains(list)) return;
    for (const nlohmann::json& entry : page[list]) {
      // In protobuf's JSON, an int64 is a string.
      const nlohmann::json& reference = entry.contains("ref") ? entry["ref"] : entry;
      const std::intptr_t found = std::stoll(reference.value(id, "0"));
      visit(found);
      next = found + 1;
    }
    if (page.value("end", false) || page[list].empty()) return;
  }
}

}  // namespace

int CountConnections() {
  int connections = 0;
  ForEach([](std::intptr_t from) { return grpc_channelz_get_servers(from); }, "server", "serverId",
          [&connections](std::intptr_t server) {
            ForEach(
                [server](std::intptr_t from) {
                  return grpc_channelz_get_server_sockets(server, from, /*max_results=*/0);
                },
                "socketRef", "socketId", [&connections](std::intptr_t) { ++connections; });
          });
  return connections;
}

}  // namespace hellocnn::server
