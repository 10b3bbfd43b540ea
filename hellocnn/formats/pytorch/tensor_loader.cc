#include "hellocnn/formats/pytorch/tensor_loader.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;

constexpr char kRebuild[] = "torch._utils._rebuild_";

bool IsUntyped(const std::string& symbol) {
  return symbol == "torch.storage.UntypedStorage" || symbol == "torch.UntypedStorage";
}

// Returns PyTorch's name of the dtype of a storage class or of a dtype symbol. Returns the symbol
// itself if it is unknown.
std::string DtypeName(const std::string& symbol) {
  static const auto* const names =
      new std::map<std::string, std::string>{{"torch.FloatStorage", "float32"},
                                             {"torch.DoubleStorage", "float64"},
                                             {"torch.HalfStorage", "float16"},
                                             {"torch.BFloat16Storage", "bfloat16"},
                                             {"torch.LongStorage", "int64"},
                                             {"torch.IntStorage", "int32"},
                                             {"torch.ShortStorage", "int16"},
                                             {"torch.CharStorage", "int8"},
                                             {"torch.ByteStorage", "uint8"},
                                             {"torch.BoolStorage", "bool"},
                                             {"torch.ComplexFloatStorage", "complex64"},
                                             {"torch.ComplexDoubleStorage", "complex128"}};
  const auto found = names->find(symbol);
  if (found != names->end()) return found->second;
  constexpr std::string_view kModule = "torch.";
  const bool is_dtype = symbol.rfind(kModule, 0) == 0 && !IsUntyped(symbol);
  return is_dtype ? symbol.substr(kModule.size()) : symbol;
}

// Returns item `index` of a tuple, or null if there is no such item of the wanted kind.
const PickleValue* Item(const PickleValue& tuple, std::size_t index, Kind kind) {
  if (tuple.kind != Kind::kTuple || index >= tuple.items.size()) return nullptr;
  const PickleValue* item = tuple.items[index];
  return item->kind == kind ? item : nullptr;
}

// Reads a tuple of non-negative integers into `extents`. Returns false if `tuple` is anything else.
bool ReadExtents(const PickleValue* tuple, std::vector<std::int64_t>& extents) {
  if (tuple == nullptr || tuple->items.size() > kMaxTensorDimensions) return false;
  for (const PickleValue* item : tuple->items) {
    if (item->kind != Kind::kInt || item->integer < 0) return false;
    extents.push_back(item->integer);
  }
  return true;
}

}  // namespace

bool IsTensor(const PickleValue& value) {
  return value.kind == Kind::kCall && value.callee->text.rfind(kRebuild, 0) == 0;
}

absl::StatusOr<TensorLoader> TensorLoader::Create(Records& records) {
  const absl::StatusOr<bool> big_endian = IsBigEndian(records);
  if (!big_endian.ok()) return big_endian.status();
  return TensorLoader(records, *big_endian);
}

absl::StatusOr<StoredTensor> TensorLoader::Load(const std::string& name, const PickleValue& value) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(records_->path(), ": tensor ", name, ": ", what));
  };
  // A parameter wraps its tensor once. Unwrapping in a loop could follow a cycle forever.
  const PickleValue* call = &value;
  if (call->Is(Kind::kCall, "torch._utils._rebuild_parameter") ||
      call->Is(Kind::kCall, "torch._utils._rebuild_parameter_with_state")) {
    const PickleValue* data = Item(*call->arguments, 0, Kind::kCall);
    if (data == nullptr) return wrong("a parameter without a tensor; wanted one");
    call = data;
  }
  const bool has_dtype = call->Is(Kind::kCall, "torch._utils._rebuild_tensor_v3");
  if (!has_dtype && !call->Is(Kind::kCall, "torch._utils._rebuild_tensor_v2")) {
    return wrong(absl::StrCat("is ", Describe(*call),
                              "; wanted a plain dense tensor, by torch._utils._rebuild_tensor_v2"));
  }

  const PickleValue& arguments = *call->arguments;
  const PickleValue* id = Item(arguments, 0, Kind::kPersistentId);
  const PickleValue* offset = Item(arguments, 1, Kind::kInt);
  StridedLayout layout;
  if (id == nullptr || offset == nullptr || offset->integer < 0 ||
      !ReadExtents(Item(arguments, 2, Kind::kTuple), layout.shape) ||
      !ReadExtents(Item(arguments, 3, Kind::kTuple), layout.strides) ||
      layout.shape.size() != layout.strides.size()) {
    return wrong(
        absl::StrCat("is not described by a storage, an offset, and a shape and strides of "
                     "the same length, at most ",
                     kMaxTensorDimensions, ", none negative"));
  }
  layout.offset = offset->integer;
  const PickleValue* dtype = has_dtype ? Item(arguments, 6, Kind::kSymbol) : nullptr;
  if (has_dtype && dtype == nullptr) {
    return wrong(absl::StrCat("has no dtype; wanted ", kWantedDtypes));
  }
  const absl::StatusOr<Storage> storage =
      ReadStorage(name, *id, dtype == nullptr ? "" : dtype->text);
  if (!storage.ok()) return storage.status();

  absl::StatusOr<StoredTensor> tensor =
      ReadStrided(std::move(layout), *storage->bytes, storage->dtype, big_endian_, &budget_);
  if (!tensor.ok()) return wrong(std::string(tensor.status().message()));
  return tensor;
}

absl::StatusOr<TensorLoader::Storage> TensorLoader::ReadStorage(const std::string& name,
                                                                const PickleValue& id,
                                                                const std::string& dtype_symbol) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(records_->path(), ": tensor ", name, ": ", what));
  };
  // ("storage", class, key, device, length)
  const PickleValue& fields = *id.arguments;
  const PickleValue* tag = Item(fields, 0, Kind::kString);
  const PickleValue* type = Item(fields, 1, Kind::kSymbol);
  const PickleValue* key = Item(fields, 2, Kind::kString);
  const PickleValue* length = Item(fields, 4, Kind::kInt);
  if (tag == nullptr || tag->text != "storage" || type == nullptr || key == nullptr ||
      length == nullptr) {
    return wrong("its storage is not described by (\"storage\", class, key, device, length)");
  }
  const bool untyped = IsUntyped(type->text);
  const std::string found = DtypeName(untyped && !dtype_symbol.empty() ? dtype_symbol : type->text);
  const std::optional<Dtype> dtype = DtypeNamed(found);
  if (!dtype.has_value()) {
    return wrong(absl::StrCat("dtype is ", absl::CHexEscape(found), "; wanted ", kWantedDtypes,
                              " (convert with .float())"));
  }
  auto storage = storages_.find(key->text);
  if (storage == storages_.end()) {
    absl::StatusOr<std::string> bytes =
        records_->Read(absl::StrCat("data/", key->text), budget_.storage_bytes);
    if (!bytes.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(bytes.status().message(), " (storage of tensor ", name, ")"));
    }
    budget_.storage_bytes -= bytes->size();
    storage = storages_.emplace(key->text, *std::move(bytes)).first;
  }
  const auto size = static_cast<std::int64_t>(storage->second.size());
  const auto width = untyped ? 1 : static_cast<std::int64_t>(WidthOf(*dtype));
  if (size % width != 0 || size / width != length->integer) {
    return wrong(
        absl::StrCat("its storage has ", size, " bytes; wanted ", length->integer, " * ", width));
  }
  return Storage{&storage->second, *dtype};
}

}  // namespace hellocnn
