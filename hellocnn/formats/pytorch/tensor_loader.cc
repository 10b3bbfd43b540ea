#include "hellocnn/formats/pytorch/tensor_loader.h"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;

// Both limits are far above the 147,896 values of HelloCNN with 1,024 classes. A file of another
// network thus still gets the message about its tensors.
constexpr std::size_t kMaxStorageBytes = std::size_t{64} << 20;
constexpr std::int64_t kMaxValues = std::int64_t{16} << 20;
constexpr std::size_t kMaxDimensions = 8;
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

// Returns the type of that name, or none if it cannot be converted to float32.
std::optional<Dtype> DtypeOf(const std::string& name) {
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBFloat16, Dtype::kFloat64}) {
    if (NameOf(dtype) == name) return dtype;
  }
  return std::nullopt;
}

// Returns item `index` of a tuple, or null if there is no such item of the wanted kind.
const PickleValue* Item(const PickleValue& tuple, std::size_t index, Kind kind) {
  if (tuple.kind != Kind::kTuple || index >= tuple.items.size()) return nullptr;
  const PickleValue* item = tuple.items[index];
  return item->kind == kind ? item : nullptr;
}

// Reads a tuple of non-negative integers into `extents`. Returns false if `tuple` is anything else.
bool ReadExtents(const PickleValue* tuple, std::vector<std::int64_t>& extents) {
  if (tuple == nullptr || tuple->items.size() > kMaxDimensions) return false;
  for (const PickleValue* item : tuple->items) {
    if (item->kind != Kind::kInt || item->integer < 0) return false;
    extents.push_back(item->integer);
  }
  return true;
}

// The positions of a tensor's values in its storage.
struct Layout {
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

// Returns true if every value lies within a storage of `storage_values` values. The tensor must not
// be empty.
bool Fits(const Layout& layout, std::int64_t storage_values) {
  std::int64_t last = layout.offset;
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    std::int64_t span = 0;
    if (__builtin_mul_overflow(layout.shape[i] - 1, layout.strides[i], &span)) return false;
    if (__builtin_add_overflow(last, span, &last)) return false;
  }
  return last < storage_values;
}

std::uint64_t ReadBits(const std::string& bytes, std::size_t index, std::size_t width,
                       bool big_endian) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t byte = big_endian ? i : width - 1 - i;
    bits = bits << 8 | static_cast<std::uint8_t>(bytes[width * index + byte]);
  }
  return bits;
}

// Copies the values in the row-major order of the shape, converted to float32. `layout` must fit
// the storage. The error does not name the tensor.
absl::Status CopyValues(const Layout& layout, const std::string& bytes, Dtype dtype,
                        bool big_endian, std::vector<float>& values) {
  std::vector<std::int64_t> position(layout.shape.size(), 0);
  std::int64_t index = layout.offset;
  for (std::size_t at = 0; at < values.size(); ++at) {
    const absl::StatusOr<float> value = ToFloat32(
        dtype, ReadBits(bytes, static_cast<std::size_t>(index), WidthOf(dtype), big_endian));
    if (!value.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("value ", at, " ", value.status().message()));
    }
    values[at] = *value;
    for (std::size_t i = position.size(); i-- > 0;) {
      index += layout.strides[i];
      if (++position[i] < layout.shape[i]) break;
      index -= layout.strides[i] * layout.shape[i];
      position[i] = 0;
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsTensor(const PickleValue& value) {
  return value.kind == Kind::kCall && value.callee->text.rfind(kRebuild, 0) == 0;
}

absl::StatusOr<TensorLoader> TensorLoader::Create(Records& records) {
  bool big_endian = false;  // for older files, which have no byteorder record
  if (records.Contains("byteorder")) {
    const absl::StatusOr<std::string> order = records.Read("byteorder", 16);
    if (!order.ok()) return order.status();
    if (*order != "little" && *order != "big") {
      return absl::InvalidArgumentError(absl::StrCat(records.path(), ": byte order is \"",
                                                     absl::CHexEscape(*order),
                                                     "\"; wanted \"little\" or \"big\""));
    }
    big_endian = *order == "big";
  }
  TensorLoader loader(records, big_endian);
  loader.storage_bytes_left_ = kMaxStorageBytes;
  loader.values_left_ = kMaxValues;
  return loader;
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
  Layout layout;
  if (id == nullptr || offset == nullptr || offset->integer < 0 ||
      !ReadExtents(Item(arguments, 2, Kind::kTuple), layout.shape) ||
      !ReadExtents(Item(arguments, 3, Kind::kTuple), layout.strides) ||
      layout.shape.size() != layout.strides.size()) {
    return wrong(
        absl::StrCat("is not described by a storage, an offset, and a shape and strides of "
                     "the same length, at most ",
                     kMaxDimensions, ", none negative"));
  }
  layout.offset = offset->integer;
  // The stride of a dimension of extent 1 is never used and may have any value. It is set to 0,
  // which cannot overflow.
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    if (layout.shape[i] == 1) layout.strides[i] = 0;
  }
  const PickleValue* dtype = has_dtype ? Item(arguments, 6, Kind::kSymbol) : nullptr;
  if (has_dtype && dtype == nullptr) {
    return wrong(absl::StrCat("has no dtype; wanted ", kWantedDtypes));
  }
  const absl::StatusOr<Storage> storage =
      ReadStorage(name, *id, dtype == nullptr ? "" : dtype->text);
  if (!storage.ok()) return storage.status();

  const std::int64_t count = CountValues(layout.shape, values_left_);
  if (count < 0) {
    return wrong(absl::StrCat("has shape ", ShapeToString(layout.shape), "; wanted at most ",
                              kMaxValues, " values in all tensors together"));
  }
  const auto storage_values =
      static_cast<std::int64_t>(storage->bytes->size() / WidthOf(storage->dtype));
  if (count > 0 && !Fits(layout, storage_values)) {
    return wrong(absl::StrCat("has shape ", ShapeToString(layout.shape), ", strides ",
                              ShapeToString(layout.strides), " and offset ", layout.offset,
                              ", which reaches beyond its storage of ", storage_values, " values"));
  }
  values_left_ -= count;
  Tensor tensor{layout.shape, std::vector<float>(static_cast<std::size_t>(count))};
  if (absl::Status status =
          CopyValues(layout, *storage->bytes, storage->dtype, big_endian_, tensor.values);
      !status.ok()) {
    return wrong(std::string(status.message()));
  }
  return StoredTensor{std::move(tensor), storage->dtype};
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
  const std::optional<Dtype> dtype = DtypeOf(found);
  if (!dtype.has_value()) {
    return wrong(absl::StrCat("dtype is ", absl::CHexEscape(found), "; wanted ", kWantedDtypes,
                              " (convert with .float())"));
  }
  auto storage = storages_.find(key->text);
  if (storage == storages_.end()) {
    absl::StatusOr<std::string> bytes =
        records_->Read(absl::StrCat("data/", key->text), storage_bytes_left_);
    if (!bytes.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(bytes.status().message(), " (storage of tensor ", name, ")"));
    }
    storage_bytes_left_ -= bytes->size();
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
