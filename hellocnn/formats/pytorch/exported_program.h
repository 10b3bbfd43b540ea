// Finds the weights in the archives of torch.export.save, whose names end in .pt2. The program in
// them is not read.
#ifndef HELLOCNN_FORMATS_PYTORCH_EXPORTED_PROGRAM_H_
#define HELLOCNN_FORMATS_PYTORCH_EXPORTED_PROGRAM_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/formats/pytorch/zip_file.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Returns true if the archive is one of torch.export or of AOTInductor, whether or not it has
// weights.
bool IsExportedProgram(const ZipFile& file);

// Where an exported program has its weights.
struct ExportedWeights {
  std::string folder;  // of the archive: "" or a name that ends in "/"
  std::string record;  // the full name of the record that describes the weights
  // True if the record is a file of torch.save. Otherwise it is a list of tensors, in JSON, and
  // each storage is a record of its own.
  bool is_state_dict = false;
};

// Finds the weights in an archive for which IsExportedProgram is true. There are three layouts:
//
//   PyTorch 2.1 to 2.7  serialized_state_dict.pt, a file of torch.save, whose name ended in .json
//                       before 2.3
//   PyTorch 2.8         FOLDER/data/weights/MODEL.pt, a file of torch.save
//   since PyTorch 2.9   FOLDER/data/weights/MODEL_weights_config.json, the list of tensors, and
//                       FOLDER/data/weights/weight_0 and so on, the storages
//
// INVALID_ARGUMENT: the archive has no weights, or those of several models. The message says what
// to do in Python.
absl::StatusOr<ExportedWeights> FindExportedWeights(const ZipFile& file);

// Loads weights that are a list of tensors. Appends to `notes` as AssembleWeights does. Takes time
// and memory in proportion to the size of the archive. INVALID_ARGUMENT: the list or a tensor is
// invalid. The message names the file, the tensor if it concerns one, the value found and the value
// wanted.
absl::StatusOr<Weights> LoadListedWeights(ZipFile file, const ExportedWeights& where,
                                          std::vector<std::string>* notes);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_EXPORTED_PROGRAM_H_
