#include "hellocnn/formats/pytorch/save_pytorch_file.h"

#include <zip.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "records are written as they lie in memory");

// Writes the few opcodes that a state_dict needs. The names are those of Python's pickletools.
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
  pickle.Int(0);           // the offset in the storage
  pickle.IntTuple(spec.shape);
  pickle.IntTuple(RowMajorStrides(spec.shape));
  pickle.Op('\x89');  // requires_grad = False
  pickle.EmptyOrderedDict();
  pickle.Op('t').Op('R');
}

// A zip archive of stored records without time stamps, in memory.
class MemoryArchive {
 public:
  MemoryArchive() : source_(zip_source_buffer_create(nullptr, 0, 0, nullptr)) {
    if (source_ == nullptr) return;
    // libzip frees a source with its archive unless the source has been kept.
    zip_source_keep(source_);
    archive_ = zip_open_from_source(source_, ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    if (archive_ == nullptr) zip_source_free(source_);
    ok_ = archive_ != nullptr;
  }
  MemoryArchive(const MemoryArchive&) = delete;
  MemoryArchive& operator=(const MemoryArchive&) = delete;
  ~MemoryArchive() {
    if (archive_ != nullptr) zip_discard(archive_);
    if (source_ != nullptr) zip_source_free(source_);
  }

  // Adds a record. `bytes` must live until Finish has returned.
  void Add(const std::string& name, const void* bytes, std::size_t size) {
    ok_ = ok_ && TryAdd(absl::StrCat("archive/", name), bytes, size);
  }

  // Returns the bytes of the archive. INTERNAL: libzip failed, which happens only if it gets no
  // memory.
  absl::StatusOr<std::string> Finish() {
    if (ok_ && zip_close(archive_) == 0) {
      archive_ = nullptr;
      zip_stat_t stat;
      std::string bytes;
      if (zip_source_stat(source_, &stat) == 0 && (stat.valid & ZIP_STAT_SIZE) != 0 &&
          zip_source_open(source_) == 0) {
        bytes.resize(stat.size);
        const zip_int64_t got = zip_source_read(source_, bytes.data(), bytes.size());
        zip_source_close(source_);
        if (got == static_cast<zip_int64_t>(bytes.size())) return bytes;
      }
    }
    return absl::InternalError("libzip cannot make the archive");
  }

 private:
  bool TryAdd(const std::string& name, const void* bytes, std::size_t size) {
    zip_source_t* source = zip_source_buffer(archive_, bytes, size, 0);
    if (source == nullptr) return false;
    const zip_int64_t index = zip_file_add(archive_, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      return false;
    }
    const auto record = static_cast<zip_uint64_t>(index);
    return zip_set_file_compression(archive_, record, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(archive_, record, 0, 0x21, 0) == 0;  // 1980-01-01
  }

  zip_source_t* const source_;
  zip_t* archive_ = nullptr;
  bool ok_ = false;
};

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

  // The archive is made in memory, so that ReplaceFile can write the file like every other one.
  const std::string version = "3\n";
  const std::string byte_order = "little";
  MemoryArchive archive;
  archive.Add("data.pkl", pickle.bytes().data(), pickle.bytes().size());
  archive.Add("byteorder", byte_order.data(), byte_order.size());
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const auto values = weights[specs[i].name];
    archive.Add(absl::StrCat("data/", i), values.data(), values.size_bytes());
  }
  archive.Add("version", version.data(), version.size());
  const absl::StatusOr<std::string> bytes = archive.Finish();
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(), absl::StrCat(path, ": ", bytes.status().message()));
  }
  return ReplaceFile(path, *bytes);
}

}  // namespace hellocnn
