// What a caller may be allowed to do.
#ifndef HELLOCNN_SERVER_ACCESS_RIGHT_H_
#define HELLOCNN_SERVER_ACCESS_RIGHT_H_

#include <array>

namespace hellocnn::server {

// The names are those of the access file, but for kNone, which everybody has.
enum class Right {
  kNone,        // to ask whether the server lives and is ready
  kClassify,    // to have images classified, and to read the description of a model
  kIntrospect,  // to list models, counts and services
  kAdmin,       // to change which models are served
  kObserve,     // to read the metrics and the status page of the admin port
};

inline constexpr std::array kRightNames = {"", "classify", "introspect", "admin", "observe"};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_ACCESS_RIGHT_H_
