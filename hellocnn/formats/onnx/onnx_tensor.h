// The numbers of a tensor in an ONNX file.
#ifndef HELLOCNN_FORMATS_ONNX_ONNX_TENSOR_H_
#define HELLOCNN_FORMATS_ONNX_ONNX_TENSOR_H_

#include "absl/status/statusor.h"
#include "hellocnn/formats/onnx/onnx.pb.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {

// Converts the tensor to float32, and transposes a matrix if wanted. INVALID_ARGUMENT: the tensor
// is invalid, of a type that cannot be converted, or not in the file. The message does not name it.
absl::StatusOr<StoredTensor> ReadOnnxTensor(const onnx::Tensor& tensor, bool transpose);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_ONNX_ONNX_TENSOR_H_
