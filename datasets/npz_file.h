// Reads .npz files, zip archives of arrays, with bounds.
#ifndef HELLOCNN_DATASETS_NPZ_FILE_H_
#define HELLOCNN_DATASETS_NPZ_FILE_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

struct zip;

namespace hellocnn {

// An archive that is open for reading. Thread-compatible.
class NpzFile {
 public:
  // Opens a regular file. INVALID_ARGUMENT: it is no zip archive, it is damaged, it has more than
  // 1,024 records, or two of one name. Other errors are those of OpenRegularFile. Messages begin
  // with the path. Blocks on the disk.
  static absl::StatusOr<NpzFile> Open(const std::string& path);

  // The names of the records, in the order of the archive.
  const std::vector<std::string>& names() const { return names_; }

  // Returns the content of a record of names(). Takes memory in proportion to what there is.
  // INVALID_ARGUMENT: the record is damaged, encrypted, compressed by another method than Deflate,
  // or larger than `max_bytes`. Messages begin with the path and name the record. Blocks on the
  // disk.
  absl::StatusOr<std::string> Read(const std::string& name, std::size_t max_bytes);

 private:
  struct Close {
    void operator()(zip* archive) const;
  };

  NpzFile(std::string path, zip* archive) : path_(std::move(path)), zip_(archive) {}

  absl::Status ListNames();

  std::string path_;
  std::unique_ptr<zip, Close> zip_;
  std::vector<std::string> names_;  // the index of a name is that of its record
};

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_NPZ_FILE_H_
