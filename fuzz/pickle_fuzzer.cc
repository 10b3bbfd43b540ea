// The pickle reader. Input: a pickle.
#include <set>
#include <vector>

#include "fuzz/check.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"

namespace hellocnn::fuzz {
namespace {

using Kind = PickleValue::Kind;

// Far more than fits into an input: each value takes a byte at least.
constexpr std::size_t kMaxDescription = 1200;

void CheckValue(const PickleValue& value, std::vector<const PickleValue*>& unseen) {
  const bool called = value.kind == Kind::kCall || value.kind == Kind::kObject;
  Require(called == (value.callee != nullptr), "a callee of what is no call, or none of one");
  Require(!called || (value.callee->kind == Kind::kSymbol && value.arguments != nullptr &&
                      value.arguments->kind == Kind::kTuple),
          "a call of something else than a symbol with a tuple");
  Require(value.kind != Kind::kPersistentId || value.arguments != nullptr,
          "a persistent id of nothing");
  Require(value.kind != Kind::kBool || value.integer == 0 || value.integer == 1, "a third bool");
  Require(Describe(value).size() <= kMaxDescription, "a long description", Describe(value));
  for (const PickleValue* part : {value.callee, value.arguments, value.state}) {
    if (part != nullptr) unseen.push_back(part);
  }
  for (const PickleValue* item : value.items) {
    Require(item != nullptr, "an item is missing");
    unseen.push_back(item);
  }
  for (const auto& [key, entry] : value.entries) {
    Require(key != nullptr && entry != nullptr, "a key or a value is missing");
    unseen.push_back(key);
    unseen.push_back(entry);
  }
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  const std::string name = "the file";
  const absl::StatusOr<Pickle> pickle = ReadPickle(name, fuzz::AsString(data, size));
  if (!pickle.ok()) {
    fuzz::RequireGoodError(pickle.status(), "the file: pickle, byte ");
    return 0;
  }
  // Values may form cycles.
  std::set<const PickleValue*> seen;
  std::vector<const PickleValue*> unseen = {&pickle->root()};
  while (!unseen.empty()) {
    const PickleValue* value = unseen.back();
    unseen.pop_back();
    if (seen.insert(value).second) fuzz::CheckValue(*value, unseen);
  }
  fuzz::Require(seen.size() <= size, "more values than bytes");
  return 0;
}
