#include "server/serving/torch_module.h"

#include <dlfcn.h>

#include <filesystem>
#include <string_view>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/version.h"

namespace hellocnn::server {

namespace fs = std::filesystem;

std::string TorchModulePath() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return (program.parent_path().parent_path() / "lib/hellocnn/hellocnn-torch.so").string();
}

absl::StatusOr<const TorchModule*> LoadTorchModule(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("there is no ", path, ", the module with the LibTorch engines, which slim ",
                     "images and builds go without; take --engine=simd, or install it there"));
  }
  void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        ", the module with the LibTorch engines, cannot be loaded: ", std::string(dlerror())));
  }
  const auto get = reinterpret_cast<const TorchModule* (*)()>(dlsym(module, kTorchModuleSymbol));
  if (get == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not the module with the LibTorch engines: it has no symbol ",
                     kTorchModuleSymbol));
  }
  const TorchModule* const found = get();
  if (std::string_view(found->version) != kVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is of version ", found->version, "; wanted the server's, ", kVersion));
  }
  return found;
}

}  // namespace hellocnn::server
