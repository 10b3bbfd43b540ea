// The LibTorch engines as a separate module, which a program loads only when it needs them.
// LibTorch takes some 380 MB on disk, 150 MB in memory, and half a second to start. A program that
// loads the module includes this header and links nothing from this folder.
#ifndef HELLOCNN_TORCH_MODULE_H_
#define HELLOCNN_TORCH_MODULE_H_

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// The functions that the module exports. C++ types cross its boundary, so the program and the
// module must come from the same build.
struct TorchModule {
  // HelloCNN's version. The program must compare it before it reads any other member, so it must
  // always remain the first member.
  const char* version;
  const char* libtorch_version;
  // TorchEngineFactory and TorchEagerEngineFactory of hellocnn/torch/torch_engine.h. Making a
  // factory also limits LibTorch's thread pools, for the whole process, to one thread each.
  absl::StatusOr<EngineFactory> (*engine_factory)(const Weights& weights,
                                                  const Normalization& normalization,
                                                  int max_batch_size);
  absl::StatusOr<EngineFactory> (*eager_engine_factory)(const Weights& weights,
                                                        const Normalization& normalization,
                                                        int max_batch_size);
};

// The only symbol of the module: a function `const TorchModule*()`. The object that it returns
// lives as long as the module is loaded.
inline constexpr char kTorchModuleSymbol[] = "hellocnn_torch_module";

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_MODULE_H_
