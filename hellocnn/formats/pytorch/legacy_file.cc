#include "hellocnn/formats/pytorch/legacy_file.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"
#include "hellocnn/formats/pytorch/pickle_opcodes.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;

// Far above HelloCNN's weights and the state of its optimiser, so that a file of another network
// still gets the message about its tensors.
constexpr std::size_t kMaxFileBytes = std::size_t{68} << 20;
constexpr std::int64_t kVersion = 1001;
constexpr std::size_t kFrameBytes = 9;  // the opcode and the length
constexpr std::size_t kCountBytes = 8;

// The magic number, as a pickle without its first bytes: an integer of 10 bytes, and the end.
constexpr std::string_view kMagic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13);

// Returns the offset behind the pickle of the magic number, or 0 if the bytes do not begin with it.
std::size_t BehindMagic(std::string_view bytes) {
  std::size_t at = 2;  // the protocol
  if (bytes.size() < at || static_cast<std::uint8_t>(bytes[0]) != pickle::kProto) return 0;
  if (bytes.size() > at && static_cast<std::uint8_t>(bytes[at]) == pickle::kFrame)
    at += kFrameBytes;
  if (bytes.size() < at || !bytes.substr(at).starts_with(kMagic)) return 0;
  return at + kMagic.size();
}

// Returns how many bytes a value of a storage class takes, or none if it is unknown.
std::optional<std::size_t> WidthOfStorage(const std::string& symbol) {
  static const auto* const widths =
      new std::map<std::string, std::size_t>{{"torch.FloatStorage", 4},
                                             {"torch.DoubleStorage", 8},
                                             {"torch.HalfStorage", 2},
                                             {"torch.BFloat16Storage", 2},
                                             {"torch.LongStorage", 8},
                                             {"torch.IntStorage", 4},
                                             {"torch.ShortStorage", 2},
                                             {"torch.CharStorage", 1},
                                             {"torch.ByteStorage", 1},
                                             {"torch.BoolStorage", 1},
                                             {"torch.ComplexFloatStorage", 8},
                                             {"torch.ComplexDoubleStorage", 16},
                                             {"torch.storage.UntypedStorage", 1},
                                             {"torch.UntypedStorage", 1}};
  const auto found = widths->find(symbol);
  return found == widths->end() ? std::nullopt : std::optional(found->second);
}

// The number of values of a storage, in the eight bytes before them, which are little-endian
// whichever machine has written them.
std::uint64_t ReadCount(std::string_view bytes) {
  std::uint64_t count = 0;
  for (std::size_t i = kCountBytes; i-- > 0;) {
    count = count << 8 | static_cast<std::uint8_t>(bytes[i]);
  }
  return count;
}

absl::Status Invalid(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": is in torch.save's format of before PyTorch 1.6, and ", what));
}

// Returns the width of the values of each storage that the pickle mentions, by its key.
absl::StatusOr<std::map<std::string, std::size_t>> FindWidths(const std::string& path,
                                                              const Pickle& pickle) {
  std::map<std::string, std::size_t> widths;
  for (const PickleValue& value : pickle.values()) {
    if (value.kind != Kind::kPersistentId || value.arguments->kind != Kind::kTuple) continue;
    // ("storage", class, key, device, length, view)
    const std::vector<const PickleValue*>& fields = value.arguments->items;
    if (fields.size() < 5 || fields[1]->kind != Kind::kSymbol || fields[2]->kind != Kind::kString) {
      continue;
    }
    const std::string key = Shown(fields[2]->text);
    if (fields.size() > 5 && fields[5]->kind != Kind::kNone) {
      return Invalid(path,
                     absl::StrCat("its storage ", key,
                                  " is a part of another one; wanted one of its own: load the "
                                  "file in PyTorch and torch.save its state_dict again"));
    }
    const std::optional<std::size_t> width = WidthOfStorage(fields[1]->text);
    if (!width.has_value()) {
      return Invalid(path, absl::StrCat("its storage ", key, " is a ", Shown(fields[1]->text),
                                        ", of which the size is not known; wanted a state_dict of "
                                        "numbers: torch.save(model.state_dict(), path)"));
    }
    if (const auto [found, is_new] = widths.emplace(fields[2]->text, *width);
        !is_new && found->second != *width) {
      return Invalid(path, absl::StrCat("its storage ", key, " has two types; wanted one"));
    }
  }
  return widths;
}

}  // namespace

bool LegacyFile::Begins(std::string_view start) { return BehindMagic(start) > 0; }

absl::StatusOr<LegacyFile> LegacyFile::Open(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFileStart(path, kMaxFileBytes + 1);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() > kMaxFileBytes) {
    return Invalid(
        path, absl::StrCat("is larger than ", kMaxFileBytes, " bytes; wanted HelloCNN's weights"));
  }
  LegacyFile file(path, *std::move(bytes));
  if (absl::Status status = file.List(); !status.ok()) return status;
  return file;
}

absl::Status LegacyFile::List() {
  std::size_t at = BehindMagic(bytes_);
  const absl::StatusOr<Pickle> version = ReadPickleAt(path_, bytes_, &at);
  if (!version.ok()) return version.status();
  if (version->root().kind != Kind::kInt || version->root().integer != kVersion) {
    return Invalid(path_, absl::StrCat("its version is ", Describe(version->root()),
                                       "; wanted the integer ", kVersion));
  }
  const absl::StatusOr<Pickle> machine = ReadPickleAt(path_, bytes_, &at);  // that has written it
  if (!machine.ok()) return machine.status();
  const std::size_t begin = at;
  const absl::StatusOr<Pickle> tensors = ReadPickleAt(path_, bytes_, &at);
  if (!tensors.ok()) return tensors.status();
  records_["data.pkl"] = {begin, at};
  const absl::StatusOr<std::map<std::string, std::size_t>> widths = FindWidths(path_, *tensors);
  if (!widths.ok()) return widths.status();
  const absl::StatusOr<Pickle> keys = ReadPickleAt(path_, bytes_, &at);
  if (!keys.ok()) return keys.status();
  if (keys->root().kind != Kind::kList) {
    return Invalid(
        path_, absl::StrCat("its list of storages is ", Describe(keys->root()), "; wanted a list"));
  }
  for (const PickleValue* const key : keys->root().items) {
    const auto width = widths->find(key->text);
    if (key->kind != Kind::kString || width == widths->end()) {
      return Invalid(path_, absl::StrCat("its list of storages has ", Describe(*key),
                                         "; wanted the keys of its tensors"));
    }
    const std::uint64_t left = bytes_.size() - at;
    const std::uint64_t count =
        left < kCountBytes ? 0 : ReadCount(std::string_view(bytes_).substr(at, kCountBytes));
    if (left < kCountBytes || count > (left - kCountBytes) / width->second) {
      return Invalid(path_, absl::StrCat("is truncated: ", left, " bytes are left for storage ",
                                         Shown(key->text), " of ", count, " values"));
    }
    at += kCountBytes;
    const std::size_t size = static_cast<std::size_t>(count) * width->second;
    if (!records_.emplace(absl::StrCat("data/", key->text), std::pair(at, at + size)).second) {
      return Invalid(path_, absl::StrCat("has storage ", Shown(key->text), " twice; wanted once"));
    }
    at += size;
  }
  if (at == bytes_.size()) return absl::OkStatus();
  return Invalid(path_, absl::StrCat("has ", bytes_.size() - at,
                                     " bytes behind its last storage; wanted none"));
}

absl::StatusOr<std::string> LegacyFile::Read(const std::string& record, std::size_t max_bytes) {
  const auto found = records_.find(record);
  if (found == records_.end()) {
    return Invalid(path_, absl::StrCat("record \"", Shown(record), "\" is missing"));
  }
  const auto [begin, end] = found->second;
  if (end - begin > max_bytes) {
    return Invalid(path_, absl::StrCat("record \"", Shown(record), "\" has ", end - begin,
                                       " bytes; wanted at most ", max_bytes));
  }
  return bytes_.substr(begin, end - begin);
}

}  // namespace hellocnn
