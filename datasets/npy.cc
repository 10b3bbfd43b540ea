#include "datasets/npy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);
constexpr std::size_t kVersionBytes = 2;
constexpr std::size_t kMaxNpyDimensions = 8;
constexpr std::size_t kMaxNpyHeaderBytes = std::size_t{1} << 16;
constexpr std::uint64_t kMaxNumberBytes = std::uint64_t{1} << 30;
constexpr char kNpyWanted[] = "wanted what numpy.save writes";

// What the dictionary of a header holds, each member once.
struct NpyDictionary {
  std::optional<std::string> descr;
  std::optional<bool> fortran_order;
  std::optional<std::vector<std::int64_t>> shape;
};

// Reads a literal such as {'descr': '<u1', 'fortran_order': False, 'shape': (3, 28, 28), }. Knows
// no more of Python than that.
class NpyLiteral {
 public:
  explicit NpyLiteral(std::string_view text) : text_(text) {}

  // Returns nullopt if the text is no such dictionary.
  std::optional<NpyDictionary> Read() {
    NpyDictionary dictionary;
    if (!Take('{')) return std::nullopt;
    while (!Take('}')) {
      if (!ReadMember(dictionary)) return std::nullopt;
      if (!Take(',') && !Peek('}')) return std::nullopt;
    }
    SkipSpace();
    return text_.empty() ? std::optional(std::move(dictionary)) : std::nullopt;
  }

 private:
  // A member that is there twice is no member.
  bool ReadMember(NpyDictionary& dictionary) {
    const std::optional<std::string> key = ReadString();
    if (!key.has_value() || !Take(':')) return false;
    if (*key == "descr" && !dictionary.descr.has_value()) {
      // The fields of a structured type are a list.
      dictionary.descr = Peek('[') ? SkipList() : ReadString();
      return dictionary.descr.has_value();
    }
    if (*key == "fortran_order" && !dictionary.fortran_order.has_value()) {
      if (TakeWord("True")) dictionary.fortran_order = true;
      if (TakeWord("False")) dictionary.fortran_order = false;
      return dictionary.fortran_order.has_value();
    }
    if (*key == "shape" && !dictionary.shape.has_value()) {
      dictionary.shape = ReadTuple();
      return dictionary.shape.has_value();
    }
    return false;
  }

  std::optional<std::string> ReadString() {
    const char quote = Peek('"') ? '"' : '\'';
    if (!Take(quote)) return std::nullopt;
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos) return std::nullopt;
    std::string string(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    if (string.find('\\') != std::string::npos) return std::nullopt;
    return string;
  }

  // Takes the list of fields of a structured type, up to the bracket that closes it.
  std::optional<std::string> SkipList() {
    int depth = 0;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      depth += text_[i] == '[' ? 1 : 0;
      depth -= text_[i] == ']' ? 1 : 0;
      if (depth > 0) continue;
      std::string list(text_.substr(0, i + 1));
      text_.remove_prefix(i + 1);
      return list;
    }
    return std::nullopt;
  }

  std::optional<std::vector<std::int64_t>> ReadTuple() {
    std::vector<std::int64_t> numbers;
    if (!Take('(')) return std::nullopt;
    bool comma = true;
    while (!Take(')')) {
      const std::optional<std::int64_t> number = ReadNumber();
      if (!comma || !number.has_value()) return std::nullopt;
      numbers.push_back(*number);
      comma = Take(',');
    }
    // "(3)" is a number in brackets, and no tuple.
    if (numbers.size() == 1 && !comma) return std::nullopt;
    return numbers;
  }

  // NumPy of Python 2 wrote an L after some numbers.
  std::optional<std::int64_t> ReadNumber() {
    SkipSpace();
    std::size_t end = 0;
    while (end < text_.size() && absl::ascii_isdigit(static_cast<unsigned char>(text_[end]))) ++end;
    std::int64_t number = 0;
    if (end == 0 || !absl::SimpleAtoi(std::string(text_.substr(0, end)), &number)) {
      return std::nullopt;
    }
    text_.remove_prefix(end);
    if (text_.starts_with('L')) text_.remove_prefix(1);
    return number;
  }

  void SkipSpace() {
    while (text_.starts_with(' ') || text_.starts_with('\n')) text_.remove_prefix(1);
  }
  bool Peek(char c) {
    SkipSpace();
    return text_.starts_with(c);
  }
  bool Take(char c) {
    if (!Peek(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool TakeWord(std::string_view word) {
    SkipSpace();
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }

  std::string_view text_;
};

absl::Status WrongNpy(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

// Sets the type that `descr` names, such as "<i8": byte order, kind and bytes of an item.
absl::Status SetType(const std::string& name, const std::string& descr, NpyHeader& header) {
  if (descr.find('O') != std::string::npos) {
    return WrongNpy(name,
                    "holds Python objects, a pickle, which could run anything and is not read; "
                    "wanted numbers: save it anew with numpy.save(path, "
                    "numpy.stack(list(array)).astype('uint8'))");
  }
  constexpr std::string_view kOrders = "<>|=";
  constexpr std::string_view kKinds = "buif";
  const bool is_plain = descr.size() == 3 && kOrders.find(descr[0]) != std::string_view::npos &&
                        kKinds.find(descr[1]) != std::string_view::npos;
  const int bytes = is_plain ? descr[2] - '0' : 0;
  const bool has_width = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
  if (!is_plain || !has_width || (descr[1] == 'b' && bytes != 1) ||
      (descr[1] == 'f' && bytes < 4) || (descr[0] == '|' && bytes != 1)) {
    return WrongNpy(name, absl::StrCat("has the type ", Shown(descr),
                                       "; wanted integers, such as uint8, float32 or float64"));
  }
  header.kind = static_cast<NpyHeader::Kind>(kKinds.find(descr[1]));
  header.item_bytes = static_cast<std::size_t>(bytes);
  header.big_endian = descr[0] == '>';
  return absl::OkStatus();
}

absl::Status CheckSize(const std::string& name, const NpyHeader& header) {
  if (header.shape.size() > kMaxNpyDimensions) {
    return WrongNpy(name, absl::StrCat("has ", header.shape.size(), " dimensions; wanted at most ",
                                       kMaxNpyDimensions));
  }
  std::uint64_t bytes = header.item_bytes;
  bool overflow = false;
  for (const std::int64_t extent : header.shape) {
    overflow |= __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(extent), &bytes);
  }
  if (overflow || bytes > kMaxNumberBytes) {
    return WrongNpy(name,
                    absl::StrCat("its shape ", ShapeToString(header.shape), " of ", header.type(),
                                 " takes ", overflow ? "more than 2^64" : absl::StrCat(bytes),
                                 " bytes; wanted at most ", kMaxNumberBytes));
  }
  return absl::OkStatus();
}

}  // namespace

std::string NpyHeader::type() const {
  if (kind == Kind::kBool) return "bool";
  const char* const names[] = {"", "uint", "int", "float"};
  return absl::StrCat(names[static_cast<int>(kind)], 8 * item_bytes);
}

std::size_t NpyHeader::items() const {
  std::size_t product = 1;
  for (const std::int64_t extent : shape) product *= static_cast<std::size_t>(extent);
  return product;
}

std::uint64_t NpyArray::Bits(std::size_t index) const {
  const char* item = bytes.data() + header.bytes + index * header.item_bytes;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < header.item_bytes; ++i) {
    const std::size_t at = header.big_endian ? i : header.item_bytes - 1 - i;
    bits = bits << 8 | static_cast<std::uint8_t>(item[at]);
  }
  return bits;
}

absl::StatusOr<NpyHeader> ParseNpyHeader(const std::string& name, std::string_view bytes) {
  if (!bytes.starts_with(kNpyMagic) || bytes.size() < kNpyMagic.size() + kVersionBytes) {
    return WrongNpy(name, absl::StrCat("is no array of NumPy: it begins with \"",
                                       Shown(bytes.substr(0, 8)), "\"; ", kNpyWanted));
  }
  const int version = static_cast<std::uint8_t>(bytes[kNpyMagic.size()]);
  if (version < 1 || version > 3) {
    return WrongNpy(name,
                    absl::StrCat("has version ", version, " of the format; wanted 1, 2 or 3"));
  }
  const std::size_t size_at = kNpyMagic.size() + kVersionBytes;
  const std::size_t size_bytes = version == 1 ? 2 : 4;
  std::size_t size = 0;
  for (std::size_t i = size_bytes; i > 0 && bytes.size() >= size_at + size_bytes; --i) {
    size = size << 8 | static_cast<std::uint8_t>(bytes[size_at + i - 1]);
  }
  NpyHeader header;
  header.bytes = size_at + size_bytes + size;
  if (size == 0 || size > kMaxNpyHeaderBytes || bytes.size() < header.bytes) {
    return WrongNpy(
        name, absl::StrCat("has a header of ", size, " bytes, and ", bytes.size(),
                           " bytes in all; wanted a whole header of 1 to ", kMaxNpyHeaderBytes));
  }
  const std::string_view text = bytes.substr(size_at + size_bytes, size);
  std::optional<NpyDictionary> dictionary = NpyLiteral(text).Read();
  if (!dictionary.has_value() || !dictionary->descr.has_value() ||
      !dictionary->fortran_order.has_value() || !dictionary->shape.has_value()) {
    return WrongNpy(name, absl::StrCat("has the header \"", Shown(text), "\"; ", kNpyWanted,
                                       ": descr, fortran_order and shape, each once"));
  }
  if (absl::Status status = SetType(name, *dictionary->descr, header); !status.ok()) return status;
  header.fortran_order = *dictionary->fortran_order;
  header.shape = *std::move(dictionary->shape);
  if (absl::Status status = CheckSize(name, header); !status.ok()) return status;
  return header;
}

absl::StatusOr<NpyArray> ParseNpy(const std::string& name, std::string bytes) {
  absl::StatusOr<NpyHeader> header = ParseNpyHeader(name, bytes);
  if (!header.ok()) return header.status();
  const std::size_t wanted = header->items() * header->item_bytes;
  if (bytes.size() - header->bytes != wanted) {
    return WrongNpy(
        name,
        absl::StrCat("has ", bytes.size() - header->bytes, " bytes of numbers; its shape ",
                     ShapeToString(header->shape), " of ", header->type(), " wants ", wanted));
  }
  return NpyArray{*std::move(header), std::move(bytes)};
}

absl::StatusOr<NpyArray> ReadNpy(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadFileStart(path, kMaxNpyBytes + 1);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() > kMaxNpyBytes) {
    return WrongNpy(
        path, absl::StrCat("has more than ", kMaxNpyBytes, " bytes; wanted at most ", "that many"));
  }
  return ParseNpy(path, *std::move(bytes));
}

}  // namespace hellocnn
