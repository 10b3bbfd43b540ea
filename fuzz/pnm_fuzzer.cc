// PNM pictures. Input: the file.
#include "cli/images/pnm.h"
#include "fuzz/check.h"
#include "fuzz/picture_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  const std::string bytes = fuzz::AsString(data, size);
  if (!cli::IsPnm(bytes)) return 0;
  fuzz::CheckPicture(cli::DecodePnm("the file", bytes), "the file");
  return 0;
}
