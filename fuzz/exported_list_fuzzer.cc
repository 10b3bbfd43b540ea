// What the archives of torch.export.save say about their tensors. Input: the list of tensors, which
// is put into a sound archive; else its checksum would stop most inputs.
#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "fuzz/stored_zip.h"
#include "fuzz/weights_check.h"
#include "hellocnn/formats/pytorch/pytorch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  static auto* const file = new fuzz::MemoryFile();
  fuzz::StoredZip zip;
  zip.Add("f/archive_format", "pt2");
  zip.Add("f/byteorder", "little");
  zip.Add("f/data/weights/model_weights_config.json", fuzz::AsString(data, size));
  // A storage for each tensor, in the order in which torch.export.save numbers them.
  static const std::int64_t kValues[] = {150, 6, 2400, 16, 48000, 120, 10080, 84, 840, 10};
  int number = 0;
  for (const std::int64_t values : kValues) {
    zip.Add("f/data/weights/weight_" + std::to_string(number++),
            std::string(static_cast<std::size_t>(values) * sizeof(float), '\0'));
  }
  file->Write(zip.Finish());
  fuzz::CheckWeights(LoadPytorchFile(file->path()), file->path(), "weights.pt");
  return 0;
}
