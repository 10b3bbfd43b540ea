// What a file of PyTorch consists of, whichever of its formats it has.
#ifndef HELLOCNN_FORMATS_PYTORCH_RECORDS_H_
#define HELLOCNN_FORMATS_PYTORCH_RECORDS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn {

// The records of an open file: "data.pkl", a pickle that describes the tensors, and "data/KEY", the
// bytes of the storage that the pickle calls KEY. There may be others.
//
// Thread-compatible.
class Records {
 public:
  virtual ~Records() = default;

  virtual const std::string& path() const = 0;
  virtual bool Contains(const std::string& record) const = 0;
  // Reads a whole record. INVALID_ARGUMENT: the record is missing, damaged, or larger than
  // `max_bytes`. The message names the file and the record.
  virtual absl::StatusOr<std::string> Read(const std::string& record, std::size_t max_bytes) = 0;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_RECORDS_H_
