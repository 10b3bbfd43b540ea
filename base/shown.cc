#include "base/shown.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace hellocnn {

std::string Shown(std::string_view text, std::size_t max_bytes) {
  const std::string_view start = text.substr(0, max_bytes);
  return absl::StrCat(absl::CHexEscape(absl::string_view(start.data(), start.size())),
                      start.size() < text.size() ? "…" : "");
}

}  // namespace hellocnn
