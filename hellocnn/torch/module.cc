#include "hellocnn/torch/module.h"

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
    .version = HELLOCNN_VERSION,
    .libtorch_version = HELLOCNN_LIBTORCH_VERSION,
    .engine_factory = &OnOneThread<&TorchEngineFactory>,
    .eager_engine_factory = &OnOneThread<&TorchEagerEngineFactory>,
};

}  // namespace
}  // namespace hellocnn

extern "C" __attribute__((visibility("default"))) const hellocnn::TorchModule*
hellocnn_torch_module() {
  return &hellocnn::kModule;
}
