#include "hellocnn/formats/pytorch/pickle_reader.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/shown.h"
#include "hellocnn/formats/pytorch/pickle_machine.h"
#include "hellocnn/formats/pytorch/pickle_opcodes.h"

namespace hellocnn {
namespace {

using Kind = PickleValue::Kind;

constexpr std::uint64_t kMaxProtocol = 5;

// Returns true for ("module", class, file, source), by which files of before PyTorch 1.6 name a
// class with its source.
bool IsModuleClass(const PickleValue& id) {
  return id.kind == Kind::kTuple && id.items.size() >= 2 && id.items[0]->kind == Kind::kString &&
         id.items[0]->text == "module" && id.items[1]->kind == Kind::kSymbol;
}

}  // namespace

void PickleMachine::Step(std::uint8_t opcode) {
  if (!status_.ok()) return;
  switch (opcode) {
    case pickle::kProto:
      if (const std::uint64_t protocol = Number(1); protocol > kMaxProtocol) {
        Fail(absl::StrCat("protocol ", protocol, "; wanted at most ", kMaxProtocol));
      }
      return;
    case pickle::kFrame:
      Number(8);  // the length of the frame; all bytes are in memory already
      return;
    case pickle::kStop:
      pickle_.root_ = &Pop();
      if (!stack_.empty() || !marks_.empty()) Fail("values left on the stack at the end");
      return;
    case pickle::kMark:
      if (marks_.size() >= kMaxMarks) return Fail("marks nested too deep");
      return marks_.push_back(stack_.size());
    case pickle::kPop:
      Pop();
      return;
    case pickle::kPopMark:
      PopToMark();
      return;
    case pickle::kNone:
      Push(Kind::kNone);
      return;
    case pickle::kNewTrue:
    case pickle::kNewFalse:
      return PushInteger(Kind::kBool, opcode == pickle::kNewTrue ? 1 : 0);
    case pickle::kBinInt:
      return PushInteger(Kind::kInt, SignedNumber(4));
    case pickle::kBinInt1:
      return PushInteger(Kind::kInt, static_cast<std::int64_t>(Number(1)));
    case pickle::kBinInt2:
      return PushInteger(Kind::kInt, static_cast<std::int64_t>(Number(2)));
    case pickle::kLong1: {
      const std::uint64_t width = Number(1);
      if (width > 8) return Fail(absl::StrCat("an integer of ", width, " bytes; wanted at most 8"));
      return PushInteger(Kind::kInt, SignedNumber(static_cast<int>(width)));
    }
    case pickle::kBinFloat:
      Push(Kind::kFloat).real = BigEndianDouble();
      return;
    case pickle::kShortBinString:
    case pickle::kShortBinBytes:
    case pickle::kShortBinUnicode:
      return PushText(Number(1));
    case pickle::kBinString:
    case pickle::kBinBytes:
    case pickle::kBinUnicode:
      return PushText(Number(4));
    case pickle::kBinUnicode8:
      return PushText(Number(8));
    case pickle::kEmptyTuple:
      return PushTuple(0);
    case pickle::kTuple1:
    case pickle::kTuple2:
    case pickle::kTuple3:
      return PushTuple(opcode - pickle::kTuple1 + 1);
    case pickle::kTuple: {
      Values items = PopToMark();
      Push(Kind::kTuple).items = std::move(items);
      return;
    }
    case pickle::kEmptyList:
      Push(Kind::kList);
      return;
    case pickle::kList: {
      Values items = PopToMark();
      Push(Kind::kList).items = std::move(items);
      return;
    }
    case pickle::kAppend: {
      const PickleValue* item = &Pop();
      return Append({item});
    }
    case pickle::kAppends:
      return Append(PopToMark());
    case pickle::kEmptyDict:
      Push(Kind::kDict);
      return;
    case pickle::kDict: {
      const Values flat = PopToMark();
      Push(Kind::kDict);
      return SetItems(flat);
    }
    case pickle::kSetItem: {
      const PickleValue* value = &Pop();
      const PickleValue* key = &Pop();
      return SetItems({key, value});
    }
    case pickle::kSetItems:
      return SetItems(PopToMark());
    case pickle::kBinPut:
      return Memorize(Number(1));
    case pickle::kLongBinPut:
      return Memorize(Number(4));
    case pickle::kMemoize:
      return Memorize(memo_.size());
    case pickle::kBinGet:
      return Recall(Number(1));
    case pickle::kLongBinGet:
      return Recall(Number(4));
    case pickle::kGlobal: {
      const std::string module = Line();
      return PushSymbol(module, Line());
    }
    case pickle::kStackGlobal:
      return StackGlobal();
    case pickle::kReduce:
      return PushCall(Kind::kCall);
    case pickle::kNewObj:
      return PushCall(Kind::kObject);
    case pickle::kBuild:
      return Build();
    case pickle::kBinPersId: {
      const PickleValue* id = &Pop();
      if (IsModuleClass(*id)) {
        Push(Kind::kSymbol).text = id->items[1]->text;
      } else {
        Push(Kind::kPersistentId).arguments = id;
      }
      return;
    }
    default:
      return Fail(absl::StrFormat("opcode 0x%02x is not one that weight files use", opcode));
  }
}

absl::StatusOr<Pickle> ReadPickle(const std::string& name, const std::string& bytes) {
  std::size_t end = 0;
  absl::StatusOr<Pickle> pickle = ReadPickleAt(name, bytes, &end);
  if (!pickle.ok() || end == bytes.size()) return pickle;
  return absl::InvalidArgumentError(absl::StrCat(name, ": pickle, byte ", end - 1, ": ",
                                                 bytes.size() - end,
                                                 " bytes after the end; wanted none"));
}

absl::StatusOr<Pickle> ReadPickleAt(const std::string& name, const std::string& bytes,
                                    std::size_t* offset) {
  PickleMachine machine(name, bytes, *offset);
  absl::StatusOr<Pickle> pickle = machine.Run();
  *offset = machine.offset();
  return pickle;
}

std::string Describe(const PickleValue& value) {
  switch (value.kind) {
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return value.integer != 0 ? "True" : "False";
    case Kind::kInt:
      return absl::StrCat("the integer ", value.integer);
    case Kind::kFloat:
      return absl::StrCat("the number ", value.real);
    case Kind::kString:
      return absl::StrCat("the string \"", Shown(value.text), "\"");
    case Kind::kTuple:
      return absl::StrCat("a tuple of ", value.items.size());
    case Kind::kList:
      return absl::StrCat("a list of ", value.items.size());
    case Kind::kDict:
      return absl::StrCat("a dict of ", value.entries.size());
    case Kind::kSymbol:
      return absl::StrCat("the symbol ", Shown(value.text));
    case Kind::kCall:
      return absl::StrCat("a call of ", Shown(value.callee->text));
    case Kind::kObject:
      return absl::StrCat("an object of class ", Shown(value.callee->text));
    case Kind::kPersistentId:
      return "a persistent id";
  }
  return "an unknown value";
}

}  // namespace hellocnn
