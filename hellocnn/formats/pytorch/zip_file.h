// Reads zip archives, in which PyTorch keeps its files.
#ifndef HELLOCNN_FORMATS_PYTORCH_ZIP_FILE_H_
#define HELLOCNN_FORMATS_PYTORCH_ZIP_FILE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct zip;

namespace hellocnn {

// A zip archive, open for reading. No two records have the same name: two readers could disagree on
// which one is valid.
//
// Thread-compatible.
class ZipFile {
 public:
  // Opens the archive. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is not a zip
  // archive. The message says what it is instead.
  static absl::StatusOr<ZipFile> Open(const std::string& path);

  // Opens an archive that is in memory. `path` stands for it in messages. INVALID_ARGUMENT: see
  // Open.
  static absl::StatusOr<ZipFile> OpenBytes(const std::string& path, std::string bytes);

  const std::string& path() const { return path_; }
  // Returns the names of all records, in the order of the archive.
  const std::vector<std::string>& names() const { return names_; }
  bool Contains(const std::string& name) const { return indices_.contains(name); }

  // Reads a whole record, and checks its CRC. INVALID_ARGUMENT: the record is missing, damaged,
  // larger than `max_bytes`, encrypted, or compressed by a method other than Deflate. The message
  // names the archive and the record.
  absl::StatusOr<std::string> Read(const std::string& name, std::size_t max_bytes);

  // Returns an error for an archive that is not what was wanted: `what` is wrong with it.
  absl::Status Wrong(const std::string& what) const;
  // Returns the names of the first records, for messages.
  std::string FirstNames() const;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };

  ZipFile(std::string path, zip* archive) : path_(std::move(path)), zip_(archive) {}

  absl::Status List();

  std::string path_;
  std::unique_ptr<std::string> bytes_;  // of an archive in memory; outlives zip_, which reads it
  std::unique_ptr<zip, Close> zip_;
  std::vector<std::string> names_;
  std::map<std::string, std::uint64_t> indices_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_ZIP_FILE_H_
