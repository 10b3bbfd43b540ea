// What PyTorch's files say about their tensors. Input: data.pkl, which is put into a sound archive;
// else its checksum would stop most inputs.
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "fuzz/stored_zip.h"
#include "fuzz/weights_check.h"
#include "hellocnn/formats/pytorch/pytorch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  static auto* const file = new fuzz::MemoryFile();
  fuzz::StoredZip zip;
  zip.Add("archive/data.pkl", fuzz::AsString(data, size));
  zip.Add("archive/byteorder", "little");
  // A storage for each tensor, in the order in which torch.save numbers them.
  static const std::int64_t kValues[] = {150, 6, 2400, 16, 48000, 120, 10080, 84, 840, 10};
  int key = 0;
  for (const std::int64_t values : kValues) {
    zip.Add("archive/data/" + std::to_string(key++),
            std::string(static_cast<std::size_t>(values) * sizeof(float), '\0'));
  }
  file->Write(zip.Finish());
  fuzz::CheckWeights(LoadPytorchFile(file->path()), file->path(), "weights.pt");
  return 0;
}
