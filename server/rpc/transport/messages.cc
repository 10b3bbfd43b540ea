#include "server/rpc/transport/messages.h"

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "base/shown.h"

namespace hellocnn::server {

absl::Status NoSuchMethod(std::string_view path, std::span<const Service> services) {
  std::vector<std::string> there_are;
  for (const Service& service : services) {
    if (path.starts_with(absl::StrCat("/", service.name, "/"))) {
      std::vector<std::string> methods;
      for (const UnaryMethod& method : service.unary) methods.push_back(method.name);
      for (const StreamMethod& method : service.streams) methods.push_back(method.name);
      return absl::UnimplementedError(absl::StrCat("there is no method ", Shown(path), "; ",
                                                   service.name, " has ",
                                                   absl::StrJoin(methods, ", ")));
    }
    there_are.push_back(service.name);
  }
  return absl::UnimplementedError(absl::StrCat("there is no method ", Shown(path),
                                               "; the services here are ",
                                               absl::StrJoin(there_are, ", ")));
}

}  // namespace hellocnn::server
