#include "base/installed.h"

#include <filesystem>
#include <system_error>

namespace hellocnn {

std::string InstalledData(const std::string& name) {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return "";
  return (program.parent_path() / HELLOCNN_DATA_FROM_PROGRAMS / name).lexically_normal().string();
}

}  // namespace hellocnn
