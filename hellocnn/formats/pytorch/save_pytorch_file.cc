#include "hellocnn/formats/pytorch/save_pytorch_file.h"

#include <zip.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "records are written as they lie in memory");

// The few opcodes that a state_dict needs; names as in Python's pickletools.
class Pickle {
 public:
  Pickle() { bytes_ = "\x80\x02"; }
  void Global(std::string_view module, std::string_view name) {
    bytes_.append("c").append(module).append("\n").append(name).append("\n");
  }
  void Unicode(std::string_view text) { Op('X').Little32(text.size()).bytes_.append(text); }
  void Int(std::int64_t value) { Op('J').Little32(static_cast<std::uint64_t>(value)); }
  Pickle& Op(char opcode) {
    bytes_.push_back(opcode);
    return *this;
  }
  void EmptyOrderedDict() {
    Global("collections", "OrderedDict");
    Op(')').Op('R');
  }
  void IntTuple(const std::vector<std::int64_t>& values) {
    Op('(');
    for (const std::int64_t value : values) Int(value);
    Op('t');
  }
  const std::string& bytes() const { return bytes_; }

 private:
  Pickle& Little32(std::uint64_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(value >> shift));
    return *this;
  }

  std::string bytes_;
};

std::vector<std::int64_t> RowMajorStrides(const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> strides(shape.size());
  std::int64_t stride = 1;
  for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) strides[i] = stride;
  return strides;
}

void PickleTensor(Pickle& pickle, const TensorSpec& spec, int storage) {
  pickle.Unicode(spec.name);
  pickle.Global("torch._utils", "_rebuild_tensor_v2");
  pickle.Op('(').Op('(');
  pickle.Unicode("storage");
  pickle.Global("torch", "FloatStorage");
  pickle.Unicode(std::to_string(storage));
  pickle.Unicode("cpu");
  pickle.Int(spec.size());
  pickle.Op('t').Op('Q');  // the storage, by persistent id
  pickle.Int(0);           // offset in it
  pickle.IntTuple(spec.shape);
  pickle.IntTuple(RowMajorStrides(spec.shape));
  pickle.Op('\x89');  // requires_grad = False
  pickle.EmptyOrderedDict();
  pickle.Op('t').Op('R');
}

// Adds a stored record without a time stamp. libzip reads `bytes` when the archive is closed.
bool AddRecord(zip_t* archive, const std::string& name, const void* bytes, std::size_t size) {
  zip_source_t* source = zip_source_buffer(archive, bytes, size, 0);
  if (source == nullptr) return false;
  const zip_int64_t index =
      zip_file_add(archive, absl::StrCat("archive/", name).c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return false;
  }
  const auto record = static_cast<zip_uint64_t>(index);
  return zip_set_file_compression(archive, record, ZIP_CM_STORE, 0) == 0 &&
         zip_file_set_dostime(archive, record, 0, 0x21, 0) == 0;  // 1980-01-01
}

}  // namespace

absl::Status SavePytorchFile(const Weights& weights, const std::string& path) {
  Pickle pickle;
  pickle.EmptyOrderedDict();
  pickle.Op('(');
  const std::vector<TensorSpec> specs = WeightTensors(weights.classes());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    PickleTensor(pickle, specs[i], static_cast<int>(i));
  }
  pickle.Op('u').Op('.');

  // libzip writes to a temporary file beside `path` and renames it on close.
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    return absl::UnknownError(absl::StrCat("cannot write ", path, ": ", reason));
  }
  const std::string version = "3\n";
  const std::string byte_order = "little";
  bool added = AddRecord(archive, "data.pkl", pickle.bytes().data(), pickle.bytes().size()) &&
               AddRecord(archive, "byteorder", byte_order.data(), byte_order.size());
  for (std::size_t i = 0; i < specs.size() && added; ++i) {
    const auto values = weights[specs[i].name];
    added = AddRecord(archive, absl::StrCat("data/", i), values.data(), values.size_bytes());
  }
  added = added && AddRecord(archive, "version", version.data(), version.size());
  if (!added || zip_close(archive) != 0) {
    const std::string reason = zip_strerror(archive);
    zip_discard(archive);
    return absl::UnknownError(absl::StrCat("cannot write ", path, ": ", reason));
  }
  return absl::OkStatus();
}

}  // namespace hellocnn
