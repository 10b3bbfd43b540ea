#include "hellocnn/torch/module.h"

#include "base/version.h"
#include "hellocnn/torch/torch_engine.h"

namespace hellocnn {
namespace {

template <auto factory>
absl::StatusOr<EngineFactory> OnOneThread(const Weights& weights,
                                          const Normalization& normalization, int max_batch_size) {
  SetUpLibTorch();
  return factory(weights, normalization, max_batch_size);
}

constexpr TorchModule kModule{
    .version = kVersion,
    .libtorch_version = kLibTorchVersion,
    .engine_factory = &OnOneThread<&TorchEngineFactory>,
    .eager_engine_factory = &OnOneThread<&TorchEagerEngineFactory>,
};

}  // namespace
}  // namespace hellocnn

extern "C" __attribute__((visibility("default"))) const hellocnn::TorchModule*
hellocnn_torch_module() {
  return &hellocnn::kModule;
}
