// PyTorch's files. Input: the zip archive.
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "fuzz/weights_check.h"
#include "hellocnn/formats/pytorch/pytorch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  static auto* const file = new fuzz::MemoryFile();
  file->Write(fuzz::AsString(data, size));
  fuzz::CheckWeights(LoadPytorchFile(file->path()), file->path(), "weights.pt");
  return 0;
}
