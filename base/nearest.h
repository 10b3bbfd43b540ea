// Finds the name that was probably meant by a mistyped one.
#ifndef HELLOCNN_BASE_NEAREST_H_
#define HELLOCNN_BASE_NEAREST_H_

#include <string>
#include <vector>

namespace hellocnn {

// Returns the candidate that is fewest edits away from `name`, or "" if none is close: at most two
// edits, and fewer for short names. An edit inserts, deletes or replaces a character, or swaps two
// neighbours; small letters and capitals are alike. The first of equally close candidates wins.
// Thread-safe.
std::string Nearest(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_NEAREST_H_
