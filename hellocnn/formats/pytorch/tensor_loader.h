// Turns a pickle's description of a tensor into the tensor: finds its storage and applies the
// offset and the strides.
#ifndef HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_
#define HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/dtype.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"
#include "hellocnn/formats/pytorch/records.h"
#include "hellocnn/formats/pytorch/strided_tensor.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {

// Returns true if the value is a call of one of PyTorch's functions that rebuild a tensor, whether
// or not TensorLoader supports it.
bool IsTensor(const PickleValue& value);

// Loads tensors from one file and converts their numbers to float32.
//
// Thread-compatible.
class TensorLoader {
 public:
  // Creates a loader. The records must outlive it. INVALID_ARGUMENT: the byte order of the file is
  // unknown.
  static absl::StatusOr<TensorLoader> Create(Records& records);

  // Loads a value for which IsTensor() returns true. INVALID_ARGUMENT: the tensor is invalid or not
  // supported. The message names the file and the tensor.
  absl::StatusOr<StoredTensor> Load(const std::string& name, const PickleValue& value);

 private:
  TensorLoader(Records& records, bool big_endian) : records_(&records), big_endian_(big_endian) {}

  struct Storage {
    const std::string* bytes;
    Dtype dtype;
  };

  absl::StatusOr<Storage> ReadStorage(const std::string& name, const PickleValue& id,
                                      const std::string& dtype_symbol);

  Records* records_;
  bool big_endian_;
  std::map<std::string, std::string> storages_;  // by key; several tensors may share a storage
  ReadBudget budget_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_
