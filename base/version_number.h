// Versions of models, which are numbers of any length.
#ifndef HELLOCNN_BASE_VERSION_NUMBER_H_
#define HELLOCNN_BASE_VERSION_NUMBER_H_

#include <string_view>

namespace hellocnn {

// Returns true if the version is a number, of any length: digits, and nothing else. Thread-safe.
bool IsVersionNumber(std::string_view version);

// Orders versions as people count: "9" comes before "10". What is no number comes before numbers,
// in the order of its bytes. Thread-safe.
struct VersionOrder {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_VERSION_NUMBER_H_
