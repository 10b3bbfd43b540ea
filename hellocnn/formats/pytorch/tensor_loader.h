// From what a pickle says about a tensor to the tensor: finds the storage, applies offset and
// strides.
#ifndef HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_
#define HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/formats/pytorch/archive.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Whether the value is a call of one of PyTorch's functions that rebuild a tensor, supported here
// or not.
bool IsTensor(const PickleValue& value);

// Loads float32 tensors out of one archive.
//
// Thread-compatible.
class TensorLoader {
 public:
  // The archive must outlive the loader. INVALID_ARGUMENT: its byte order is unknown.
  static absl::StatusOr<TensorLoader> Create(Archive& archive);

  // Loads what IsTensor() is true of. INVALID_ARGUMENT names the file and the tensor.
  absl::StatusOr<Tensor> Load(const std::string& name, const PickleValue& value);

 private:
  TensorLoader(Archive& archive, bool big_endian) : archive_(&archive), big_endian_(big_endian) {}

  absl::StatusOr<const std::string*> ReadStorage(const std::string& name, const PickleValue& id,
                                                 const std::string& dtype);

  Archive* archive_;
  bool big_endian_;
  std::map<std::string, std::string> storages_;  // by key; several tensors may lie in one
  // What the file may still make us allocate: a few bytes of it could claim any amount.
  std::size_t storage_bytes_left_ = 0;
  std::int64_t values_left_ = 0;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_
