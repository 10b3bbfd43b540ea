// The machine behind ReadPickle. Only pickle_reader.cc may include this header.
#ifndef HELLOCNN_FORMATS_PYTORCH_PICKLE_MACHINE_H_
#define HELLOCNN_FORMATS_PYTORCH_PICKLE_MACHINE_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/formats/pytorch/pickle_reader.h"

namespace hellocnn {

// Pickle's stack machine, without everything that would run code. It processes the bytes in a loop,
// so deep nesting does not use the call stack. The machine keeps the first error. Until the loop
// sees it, the helpers return harmless values.
class PickleMachine {
 public:
  // The pickle begins at `offset`, which is at most bytes.size().
  PickleMachine(const std::string& name, const std::string& bytes, std::size_t offset)
      : name_(name), bytes_(bytes), offset_(offset) {}

  // Reads the pickle. May be called once. INVALID_ARGUMENT: see ReadPickle.
  absl::StatusOr<Pickle> Run() {
    while (status_.ok() && pickle_.root_ == nullptr) {
      opcode_offset_ = offset_;
      Step(static_cast<std::uint8_t>(Number(1)));
    }
    if (!status_.ok()) return status_;
    return std::move(pickle_);
  }
  // Returns the offset behind the pickle.
  std::size_t offset() const { return offset_; }

 private:
  using Kind = PickleValue::Kind;
  using Values = std::vector<const PickleValue*>;

  static constexpr std::size_t kMaxValues = std::size_t{1} << 18;
  static constexpr std::size_t kMaxMarks = std::size_t{1} << 10;
  // STACK_GLOBAL joins strings, which a pickle may use any number of times. Without this limit, a
  // short pickle could exhaust the memory.
  static constexpr std::size_t kMaxSymbolLength = 1024;

  void Fail(const std::string& what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(name_, ": pickle, byte ", opcode_offset_, ": ", what));
  }

  // Reading bytes.

  bool Have(std::uint64_t count) {
    if (!status_.ok()) return false;
    if (count <= bytes_.size() - offset_) return true;
    Fail(absl::StrCat("truncated: ", count, " more bytes wanted, ", bytes_.size() - offset_,
                      " left"));
    return false;
  }

  // Reads an unsigned little-endian number.
  std::uint64_t Number(int width) {
    if (!Have(static_cast<std::uint64_t>(width))) return 0;
    std::uint64_t number = 0;
    for (int i = 0; i < width; ++i) {
      number |= std::uint64_t{static_cast<std::uint8_t>(bytes_[offset_++])} << (8 * i);
    }
    return number;
  }

  std::int64_t SignedNumber(int width) {
    if (width == 0) return 0;
    const int unused = 64 - 8 * width;
    return static_cast<std::int64_t>(Number(width) << unused) >> unused;
  }

  double BigEndianDouble() {
    if (!Have(8)) return 0;
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<std::uint8_t>(bytes_[offset_++]);
    return std::bit_cast<double>(bits);
  }

  std::string Text(std::uint64_t length) {
    if (!Have(length)) return "";
    std::string text = bytes_.substr(offset_, length);
    offset_ += length;
    return text;
  }

  std::string Line() {
    const std::size_t end = bytes_.find('\n', offset_);
    if (end == std::string::npos) {
      Fail("truncated: a line without end");
      return "";
    }
    std::string line = Text(end - offset_);
    ++offset_;
    return line;
  }

  // The stack.

  PickleValue& Push(Kind kind) {
    if (pickle_.values_.size() >= kMaxValues) {
      Fail(absl::StrCat("more than ", kMaxValues, " values; wanted fewer"));
      return nothing_;
    }
    PickleValue& value = pickle_.values_.emplace_back();
    value.kind = kind;
    stack_.push_back(&value);
    return value;
  }

  void PushText(std::uint64_t length) { Push(Kind::kString).text = Text(length); }

  void PushInteger(Kind kind, std::int64_t integer) { Push(kind).integer = integer; }

  void PushSymbol(const std::string& module, const std::string& name) {
    if (module.size() + name.size() > kMaxSymbolLength) {
      return Fail(absl::StrCat("a symbol of ", module.size() + name.size(),
                               " characters; wanted at most ", kMaxSymbolLength));
    }
    Push(Kind::kSymbol).text = absl::StrCat(module, ".", name);
  }

  // Returns the topmost value above the last mark. If there is none, fails and returns nothing_.
  PickleValue& Top() {
    if (stack_.size() > (marks_.empty() ? 0 : marks_.back())) return *stack_.back();
    Fail("stack underflow: a value wanted, none there");
    return nothing_;
  }

  PickleValue& Pop() {
    PickleValue& top = Top();
    if (status_.ok()) stack_.pop_back();
    return top;
  }

  // Removes all values above the last mark, and the mark, and returns the values.
  Values PopToMark() {
    if (marks_.empty()) {
      Fail("stack underflow: a mark wanted, none there");
      return {};
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Values values(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }

  void PushTuple(int size) {
    Values items(static_cast<std::size_t>(size));
    for (auto item = items.rbegin(); item != items.rend(); ++item) *item = &Pop();
    Push(Kind::kTuple).items = std::move(items);
  }

  // Values made of values.

  void Append(const Values& items) {
    PickleValue& list = Top();
    if (list.kind != Kind::kList) {
      return Fail(absl::StrCat("items for ", Describe(list), "; wanted a list"));
    }
    list.items.insert(list.items.end(), items.begin(), items.end());
  }

  void SetItems(const Values& flat) {
    PickleValue& dict = Top();
    if (dict.kind != Kind::kDict && dict.kind != Kind::kCall && dict.kind != Kind::kObject) {
      return Fail(absl::StrCat("entries for ", Describe(dict), "; wanted a dict"));
    }
    if (flat.size() % 2 != 0) return Fail("a key without a value");
    for (std::size_t i = 0; i < flat.size(); i += 2)
      dict.entries.emplace_back(flat[i], flat[i + 1]);
  }

  void PushCall(Kind kind) {
    const PickleValue& arguments = Pop();
    const PickleValue& callee = Pop();
    if (callee.kind != Kind::kSymbol || arguments.kind != Kind::kTuple) {
      return Fail(absl::StrCat("a call of ", Describe(callee), " with ", Describe(arguments),
                               "; wanted a symbol and a tuple"));
    }
    PickleValue& call = Push(kind);
    call.callee = &callee;
    call.arguments = &arguments;
  }

  void Build() {
    const PickleValue& state = Pop();
    PickleValue& object = Top();
    if (object.kind != Kind::kCall && object.kind != Kind::kObject) {
      return Fail(absl::StrCat("state for ", Describe(object), "; wanted an object"));
    }
    object.state = &state;
  }

  void StackGlobal() {
    const PickleValue& name = Pop();
    const PickleValue& module = Pop();
    if (name.kind != Kind::kString || module.kind != Kind::kString) {
      return Fail(absl::StrCat("a symbol made of ", Describe(module), " and ", Describe(name),
                               "; wanted two strings"));
    }
    PushSymbol(module.text, name.text);
  }

  void Recall(std::uint64_t key) {
    const auto found = memo_.find(key);
    if (found == memo_.end()) return Fail(absl::StrCat("memo has no entry ", key));
    stack_.push_back(found->second);
  }

  void Memorize(std::uint64_t key) { memo_[key] = &Top(); }

  void Step(std::uint8_t opcode);

  const std::string& name_;
  const std::string& bytes_;
  std::size_t offset_;
  std::size_t opcode_offset_ = 0;
  std::vector<PickleValue*> stack_;
  std::vector<std::size_t> marks_;  // sizes of the stack when each mark was set
  std::unordered_map<std::uint64_t, PickleValue*> memo_;
  PickleValue nothing_;  // stands in for a value after an error
  Pickle pickle_;
  absl::Status status_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_PICKLE_MACHINE_H_
