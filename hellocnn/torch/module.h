// The LibTorch engines as a module of their own, which a program loads when it wants them: LibTorch
// weighs some 380 MB on disk and 150 MB in memory, and takes half a second to start. Who loads it
// includes this header and links nothing of this folder.
#ifndef HELLOCNN_TORCH_MODULE_H_
#define HELLOCNN_TORCH_MODULE_H_

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// What the module has to offer. C++ types cross the border, so both sides must come from one build.
struct TorchModule {
  // HelloCNN's version, to be compared before anything else here is touched. Stays the first
  // member for ever.
  const char* version;
  const char* libtorch_version;
  // As in hellocnn/torch/torch_engine.h. Making a factory sets LibTorch's thread pools, those of
  // the whole process, to one thread.
  absl::StatusOr<EngineFactory> (*engine_factory)(const Weights& weights,
                                                  const Normalization& normalization,
                                                  int max_batch_size);
  absl::StatusOr<EngineFactory> (*eager_engine_factory)(const Weights& weights,
                                                        const Normalization& normalization,
                                                        int max_batch_size);
};

// The module's one symbol: a function `const TorchModule*()`. What it points to lives as long as
// the module.
inline constexpr char kTorchModuleSymbol[] = "hellocnn_torch_module";

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_MODULE_H_
