// Turns a pickle's description of a tensor into the tensor: finds its storage and applies the
// offset and the strides.
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

// Returns true if the value is a call of one of PyTorch's functions that rebuild a tensor, whether
// or not TensorLoader supports it.
bool IsTensor(const PickleValue& value);

// Loads float32 tensors from one archive.
//
// Thread-compatible.
class TensorLoader {
 public:
  // Creates a loader. The archive must outlive it. INVALID_ARGUMENT: the byte order of the archive
  // is unknown.
  static absl::StatusOr<TensorLoader> Create(Archive& archive);

  // Loads a value for which IsTensor() returns true. INVALID_ARGUMENT: the tensor is invalid or not
  // supported. The message names the file and the tensor.
  absl::StatusOr<Tensor> Load(const std::string& name, const PickleValue& value);

 private:
  TensorLoader(Archive& archive, bool big_endian) : archive_(&archive), big_endian_(big_endian) {}

  absl::StatusOr<const std::string*> ReadStorage(const std::string& name, const PickleValue& id,
                                                 const std::string& dtype);

  Archive* archive_;
  bool big_endian_;
  std::map<std::string, std::string> storages_;  // by key; several tensors may share a storage
  // The remaining budget for allocations. Without a limit, a few bytes of the file could make the
  // loader allocate any amount of memory.
  std::size_t storage_bytes_left_ = 0;
  std::int64_t values_left_ = 0;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_TENSOR_LOADER_H_
