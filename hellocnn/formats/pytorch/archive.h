// The zip archive that torch.save and TorchScript write. Its records are in one folder, whose name
// has no meaning.
#ifndef HELLOCNN_FORMATS_PYTORCH_ARCHIVE_H_
#define HELLOCNN_FORMATS_PYTORCH_ARCHIVE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "hellocnn/formats/pytorch/records.h"

struct zip;

namespace hellocnn {

// A PyTorch archive, open for reading. The names of records are relative to its folder: "data.pkl",
// "data/0".
//
// Thread-compatible.
class Archive final : public Records {
 public:
  // Opens the archive. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is not a
  // PyTorch archive. The message says what it is instead.
  static absl::StatusOr<Archive> Open(const std::string& path);

  const std::string& path() const override { return path_; }
  bool Contains(const std::string& record) const override { return records_.contains(record); }

  // Checks the CRC, too. A record is also invalid if it is encrypted, or compressed by a method
  // other than Deflate.
  absl::StatusOr<std::string> Read(const std::string& record, std::size_t max_bytes) override;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };

  Archive(std::string path, zip* archive) : path_(std::move(path)), zip_(archive) {}

  absl::Status ListRecords();

  std::string path_;
  std::unique_ptr<zip, Close> zip_;
  std::map<std::string, std::uint64_t> records_;  // name without folder -> index in the zip
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_ARCHIVE_H_
