// PNM pictures, which own code decodes. Input: the file.
#include "client/picture/decoders.h"
#include "fuzz/check.h"
#include "fuzz/picture_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  const std::string bytes = fuzz::AsString(data, size);
  if (!client::picture::IsPnm(bytes)) return 0;
  fuzz::CheckPicture(client::picture::DecodePnm("the file", bytes, client::kMaxPicturePixels),
                     "the file");
  return 0;
}
