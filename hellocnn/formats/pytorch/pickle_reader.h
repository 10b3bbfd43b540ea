// Reads Python pickles as data. Nothing that a pickle names is looked up, imported or called.
#ifndef HELLOCNN_FORMATS_PYTORCH_PICKLE_READER_H_
#define HELLOCNN_FORMATS_PYTORCH_PICKLE_READER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// One value of a pickle. Values refer to each other by pointer, may share parts and may form
// cycles; whoever walks them must bound the walk.
struct PickleValue {
  enum class Kind {
    kNone,
    kBool,          // integer: 0 or 1
    kInt,           // integer
    kFloat,         // real
    kString,        // text; byte strings too
    kTuple,         // items
    kList,          // items
    kDict,          // entries, in the order they were written
    kSymbol,        // text: "module.name", a name and no more
    kCall,          // callee(*arguments), which was not called; entries if used as a dict; state
    kObject,        // an instance of class callee; arguments, entries and state likewise
    kPersistentId,  // arguments: what stands for something kept outside of the pickle
  };

  Kind kind = Kind::kNone;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<const PickleValue*> items;
  std::vector<std::pair<const PickleValue*, const PickleValue*>> entries;
  const PickleValue* callee = nullptr;     // a kSymbol
  const PickleValue* arguments = nullptr;  // a kTuple, but for kPersistentId any kind
  const PickleValue* state = nullptr;      // null if there is none

  // Whether this is a call of, or an instance of, the symbol.
  bool Is(Kind wanted, const std::string& symbol) const {
    return kind == wanted && callee != nullptr && callee->text == symbol;
  }
};

// For messages: "the string \"abc\"", "a list of 3", "an object of class __main__.Net". Does not
// look inside.
std::string Describe(const PickleValue& value);

// Owns all values of one pickle. The pointers live as long as this object, moves included.
class Pickle {
 public:
  const PickleValue& root() const { return *root_; }

 private:
  friend class PickleMachine;

  std::deque<PickleValue>
      values_;  // never shrinks, so that pointers hold and cycles free themselves
  const PickleValue* root_ = nullptr;
};

// Reads the pickle, written by protocol 2 to 5, that is all of `bytes`. Takes time and memory in
// proportion to its length, whatever it says. INVALID_ARGUMENT starts with `name` and gives the
// offset, what was found and what was wanted.
absl::StatusOr<Pickle> ReadPickle(const std::string& name, const std::string& bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_PICKLE_READER_H_
