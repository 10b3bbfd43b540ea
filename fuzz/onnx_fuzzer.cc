// ONNX files.
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "fuzz/weights_check.h"
#include "hellocnn/formats/onnx/onnx_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  static auto* const file = new fuzz::MemoryFile();
  file->Write(fuzz::AsString(data, size));
  fuzz::CheckWeights(LoadOnnxFile(file->path()), file->path(), "weights.pt");
  return 0;
}
