// Finds and loads the LibTorch engines, which are a module beside the server.
#ifndef HELLOCNN_SERVER_SERVING_TORCH_MODULE_H_
#define HELLOCNN_SERVER_SERVING_TORCH_MODULE_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/torch/module.h"

namespace hellocnn::server {

// Where the module of this program is: ../lib/hellocnn/hellocnn-torch.so from the program's folder,
// built and installed alike.
std::string TorchModulePath();

// Loads the module at `path`, once a process: blocks for half a second the first time. It is never
// unloaded. Thread-safe.
// NOT_FOUND: no such file. FAILED_PRECONDITION: it is no module, a library that it needs is
// missing, or it is of another version than this program. All name `path`.
absl::StatusOr<const TorchModule*> LoadTorchModule(const std::string& path);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_TORCH_MODULE_H_
