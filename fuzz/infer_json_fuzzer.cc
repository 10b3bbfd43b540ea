// The reader of inference requests in JSON. Whatever it takes must be a request that the reader of
// its protocol can judge: bytes that are as many as the shape and the datatype say.
//
// Input: a byte that says whether the JSON has a length of its own, two bytes with that length, and
// the body.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "fuzz/check.h"
#include "server/rpc/rest/infer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  if (size < 3) return 0;
  server::HttpRequest http{.method = "POST", .path = "/"};
  http.body.assign(reinterpret_cast<const char*>(data) + 3, size - 3);
  if (data[0] % 2 == 1) http.headers[server::kHeaderLength] = absl::StrCat(data[1] + 256 * data[2]);
  const absl::StatusOr<server::InferCall> call = server::ReadInferCall(http);
  if (!call.ok()) {
    fuzz::RequireGoodError(call.status(), "");
    return 0;
  }
  const inference::ModelInferRequest& request = call->request;
  fuzz::Require(request.inputs_size() == 1, "another number of inputs");
  const auto& input = request.inputs(0);
  if (request.raw_input_contents().empty()) {
    fuzz::Require(input.datatype() != "UINT8" && input.datatype() != "FP32", "no elements");
    return 0;
  }
  const std::size_t value = input.datatype() == "FP32" ? 4 : 1;
  if (input.parameters().contains("binary_data_size")) return 0;  // the next reader counts them
  std::size_t wanted = value;
  for (const std::int64_t extent : input.shape()) {
    wanted *= static_cast<std::size_t>(extent < 0 ? 0 : extent);
  }
  fuzz::Require(request.raw_input_contents(0).size() == wanted, "another number of elements");
  return 0;
}
