// A safetensors file, and the tensors in it.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_TENSORS_IN_FILE_H_
#define HELLOCNN_FORMATS_SAFETENSORS_TENSORS_IN_FILE_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "hellocnn/formats/safetensors/safetensors_header.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {

// Immutable, so thread-safe.
class TensorsInFile {
 public:
  // Far above what HelloCNN needs.
  static const std::size_t kMaxBytes;

  // Reads the file into memory, and its header. Blocks on the disk. NOT_FOUND: there is no such
  // file. INVALID_ARGUMENT: it is invalid, or larger than `max_bytes`.
  static absl::StatusOr<TensorsInFile> Open(const std::string& path, std::size_t max_bytes);

  // The tensors by their names, which are escaped for messages.
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }
  std::size_t size() const { return bytes_.size(); }

  // Returns a tensor of entries(). INVALID_ARGUMENT: its numbers cannot be converted to float32.
  absl::StatusOr<StoredTensor> Load(const std::string& name) const;

 private:
  TensorsInFile(std::string path, std::string bytes, std::size_t data_at,
                std::map<std::string, SafetensorsEntry> entries)
      : path_(std::move(path)),
        bytes_(std::move(bytes)),
        data_at_(data_at),
        entries_(std::move(entries)) {}

  std::string path_;
  std::string bytes_;
  std::size_t data_at_;  // where the data begin
  std::map<std::string, SafetensorsEntry> entries_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_TENSORS_IN_FILE_H_
