// The zip archive that torch.save and TorchScript write. Its records are in one folder, whose name
// has no meaning.
#ifndef HELLOCNN_FORMATS_PYTORCH_ARCHIVE_H_
#define HELLOCNN_FORMATS_PYTORCH_ARCHIVE_H_

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "hellocnn/formats/pytorch/records.h"
#include "hellocnn/formats/pytorch/zip_file.h"

namespace hellocnn {

// A PyTorch archive, open for reading. The names of records are relative to its folder: "data.pkl",
// "data/0".
//
// Thread-compatible.
class Archive final : public Records {
 public:
  // Finds the folder. INVALID_ARGUMENT: the zip archive is not a PyTorch archive.
  static absl::StatusOr<Archive> Create(ZipFile file);
  // Takes the folder of that name, "" or one that ends in "/".
  static Archive InFolder(ZipFile file, const std::string& folder) {
    return Archive(std::move(file), folder);
  }

  const std::string& path() const override { return file_.path(); }
  bool Contains(const std::string& record) const override {
    return file_.Contains(folder_ + record);
  }

  // The errors are also those of ZipFile::Read.
  absl::StatusOr<std::string> Read(const std::string& record, std::size_t max_bytes) override {
    return file_.Read(folder_ + record, max_bytes);
  }

 private:
  Archive(ZipFile file, std::string folder) : file_(std::move(file)), folder_(std::move(folder)) {}

  ZipFile file_;
  std::string folder_;  // ends in "/"
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_ARCHIVE_H_
