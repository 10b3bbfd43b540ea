// The format of torch.save before PyTorch 1.6, and since then with
// _use_new_zipfile_serialization=False: five pickles, one behind the other, and then the bytes of
// each storage. The source of the format is torch/serialization.py, _legacy_save. It has no
// checksums.
#ifndef HELLOCNN_FORMATS_PYTORCH_LEGACY_FILE_H_
#define HELLOCNN_FORMATS_PYTORCH_LEGACY_FILE_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/formats/pytorch/records.h"

namespace hellocnn {

class LegacyFile final : public Records {
 public:
  // So many bytes of a file suffice for Begins.
  static constexpr std::size_t kStartBytes = 32;
  // Returns true if a file with these first bytes has this format.
  static bool Begins(std::string_view start);

  // Reads the file, for which Begins is true, into memory. INVALID_ARGUMENT: it is invalid, or too
  // large for HelloCNN's weights.
  static absl::StatusOr<LegacyFile> Open(const std::string& path);

  const std::string& path() const override { return path_; }
  bool Contains(const std::string& record) const override { return records_.contains(record); }
  absl::StatusOr<std::string> Read(const std::string& record, std::size_t max_bytes) override;

 private:
  LegacyFile(std::string path, std::string bytes)
      : path_(std::move(path)), bytes_(std::move(bytes)) {}

  // Finds the records.
  absl::Status List();

  std::string path_;
  std::string bytes_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> records_;  // begin and end in bytes_
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_LEGACY_FILE_H_
