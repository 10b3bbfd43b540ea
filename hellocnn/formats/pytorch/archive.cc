#include "hellocnn/formats/pytorch/archive.h"

#include "absl/strings/str_cat.h"

namespace hellocnn {

absl::StatusOr<Archive> Archive::Create(ZipFile file) {
  std::string folder;
  for (const std::string& name : file.names()) {
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || name.substr(slash) != "/data.pkl") continue;
    if (!folder.empty()) return file.Wrong("is a zip archive with more than one data.pkl");
    folder = name.substr(0, slash + 1);
  }
  if (folder.empty()) {
    return file.Wrong(
        absl::StrCat("is a zip archive but not PyTorch's: it has no record "
                     "<folder>/data.pkl among its ",
                     file.names().size(), " records (", file.FirstNames(), ")"));
  }
  return Archive(std::move(file), std::move(folder));
}

}  // namespace hellocnn
