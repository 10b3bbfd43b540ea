// Finds and loads the LibTorch engines, which are a module beside the server.
#ifndef HELLOCNN_SERVER_SERVING_TORCH_MODULE_H_
#define HELLOCNN_SERVER_SERVING_TORCH_MODULE_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/torch/module.h"

namespace hellocnn::server {

// Returns the path of this program's module: ../lib/hellocnn/hellocnn-torch.so from the program's
// folder, in the build tree and when installed.
std::string TorchModulePath();

// Loads the module at `path`, once in a process, and never unloads it. Blocks for half a second the
// first time. Thread-safe.
// NOT_FOUND: no such file. FAILED_PRECONDITION: it is not a module, a library that it needs is
// missing, or it has another version than this program. Each error names `path`.
absl::StatusOr<const TorchModule*> LoadTorchModule(const std::string& path);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_TORCH_MODULE_H_
