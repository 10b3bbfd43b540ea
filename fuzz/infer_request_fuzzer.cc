// The reader of ModelInfer requests against protobuf's own parser, with the message cut into slices
// anywhere.
//
// Input: a byte with the number of cuts, two bytes for each cut, and the message.
#include <google/protobuf/arena.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "fuzz/check.h"
#include "hellocnn/topology.h"
#include "inference/open_inference.pb.h"
#include "server/rpc/open_inference/infer_request.h"
#include "tests/testing/pieces.h"
#include "tests/testing/pieces_message.h"

namespace hellocnn::fuzz {
namespace {

constexpr int kMaxImages = 3;
constexpr std::size_t kMaxCuts = 15;

// Expects whole images of a good request, with the pixels of its raw contents.
void CheckImages(const inference::ModelInferRequest& wanted, const ModelCard& card,
                 const server::Request& read, const server::InferRequest& request,
                 google::protobuf::Arena* arena) {
  if (!read.images.ok()) return RequireGoodError(read.images.status(), "");
  Require(wanted.inputs_size() == 1, "good images without an input");
  Require(!read.images->empty() && read.images->size() <= kMaxImages, "a wrong number of images");
  const bool is_float = wanted.inputs(0).datatype() == "FP32";
  std::string pixels;
  if (!wanted.raw_input_contents().empty()) {
    pixels = wanted.raw_input_contents(0);
    const std::size_t each = pixels.size() / read.images->size();
    for (std::size_t i = 0; i < read.images->size(); ++i) {
      Require(std::memcmp((*read.images)[i].pixels, pixels.data() + i * each, each) == 0,
              "other pixels");
    }
  }
  if (const absl::Status fits = request.Fit(card, *read.images, arena); !fits.ok()) {
    return RequireGoodError(fits, "");
  }
  // Every byte can be read.
  unsigned sum = 0;
  for (const ImageView& image : *read.images) {
    Require((image.format == PixelFormat::kFloat32) == is_float, "another pixel format");
    for (std::size_t i = 0; i < BytesPerImage(image.format); ++i) {
      sum += std::to_integer<unsigned>(image.pixels[i]);
    }
  }
  Require(sum <= 255U * 4U * kImagePixels * kMaxImages, "impossible pixels");
}

void Run(const std::string& bytes, const std::vector<std::size_t>& cuts) {
  google::protobuf::Arena arena;
  inference::ModelInferRequest wanted;
  const bool valid = wanted.ParseFromString(bytes);
  testing::PiecesMessage message(testing::Pieces::CutAt(bytes, cuts));
  server::InferRequest request;
  const absl::StatusOr<server::Request> read = request.Read(&message, kMaxImages, &arena);
  if (!read.ok()) {
    Require(!valid, "a valid message is rejected", read.status().ToString());
    return RequireGoodError(read.status(), "");
  }
  if (!valid) return;  // such as a known field with the type of another one, which is not looked at
  Require(request.id() == wanted.id() && read->model == wanted.model_name(), "other texts");
  CheckImages(wanted, ModelCard(), *read, request, &arena);
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::size_t cuts =
      std::min<std::size_t>(data[0] % (hellocnn::fuzz::kMaxCuts + 1), (size - 1) / 2);
  const std::string bytes(reinterpret_cast<const char*>(data) + 1 + 2 * cuts, size - 1 - 2 * cuts);
  std::vector<std::size_t> at;
  for (std::size_t i = 0; i < cuts; ++i) {
    const std::size_t cut = data[1 + 2 * i] * std::size_t{256} + data[2 + 2 * i];
    at.push_back(bytes.empty() ? 0 : cut % (bytes.size() + 1));
  }
  hellocnn::fuzz::Run(bytes, at);
  return 0;
}
