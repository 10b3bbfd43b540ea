#include "hellocnn/formats/safetensors/safetensors_file.h"

#include "hellocnn/formats/safetensors/tensors_in_file.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {

absl::StatusOr<Weights> LoadSafetensorsFile(const std::string& path,
                                            std::vector<std::string>* notes) {
  const absl::StatusOr<TensorsInFile> file = TensorsInFile::Open(path, TensorsInFile::kMaxBytes);
  if (!file.ok()) return file.status();
  std::vector<std::string> names;
  for (const auto& [name, entry] : file->entries()) names.push_back(name);
  const auto load = [&](const std::string& name) { return file->Load(name); };
  return AssembleWeights(path, names, load, notes);
}

}  // namespace hellocnn
