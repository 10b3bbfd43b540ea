// NumPy's arrays, and what images and labels are made of them. Input: the file.
#include <string>
#include <utility>
#include <vector>

#include "datasets/array_images.h"
#include "datasets/npy.h"
#include "fuzz/check.h"

namespace hellocnn::fuzz {
namespace {

constexpr char kName[] = "a.npy";

// Returns a file of version 3 that has the same array.
std::string WriteAgain(const NpyArray& array) {
  const NpyHeader& header = array.header;
  constexpr char kKinds[] = {'b', 'u', 'i', 'f'};
  std::string text = "{'descr': '";
  text += header.big_endian ? '>' : '<';
  text += kKinds[static_cast<int>(header.kind)] + std::to_string(header.item_bytes);
  text += "', 'fortran_order': " + std::string(header.fortran_order ? "True" : "False");
  text += ", 'shape': (";
  for (const std::int64_t extent : header.shape) text += std::to_string(extent) + ",";
  text += ")}\n";
  std::string bytes("\x93NUMPY\x03\x00", 8);
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(text.size() >> (8 * i));
  return bytes + text + array.bytes.substr(header.bytes);
}

void CheckImages(const NpyArray& array) {
  std::vector<std::string> notes;
  const absl::StatusOr<GreyImages> images = ImagesOfArray(kName, array, notes);
  if (!images.ok()) return RequireGoodError(images.status(), "a.npy: ");
  Require(images->side == 28 || images->side == 32, "images have another size");
  Require(images->pixels.size() == array.header.items(), "there are too few or too many pixels");
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  const absl::StatusOr<NpyArray> array = ParseNpy(fuzz::kName, fuzz::AsString(data, size));
  if (!array.ok()) {
    fuzz::RequireGoodError(array.status(), "a.npy: ");
    return 0;
  }
  const absl::StatusOr<NpyArray> again = ParseNpy(fuzz::kName, fuzz::WriteAgain(*array));
  fuzz::Require(again.ok() && again->header.shape == array->header.shape &&
                    again->header.type() == array->header.type() &&
                    fuzz::WriteAgain(*again) == fuzz::WriteAgain(*array),
                "what was read cannot be read again", again.status().ToString());
  fuzz::CheckImages(*array);
  const absl::StatusOr<std::vector<int>> labels = LabelsOfArray(fuzz::kName, *array);
  if (!labels.ok()) fuzz::RequireGoodError(labels.status(), "a.npy: ");
  return 0;
}
