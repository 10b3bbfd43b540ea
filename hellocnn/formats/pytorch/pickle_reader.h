// Reads Python pickles as data. Nothing that a pickle names is looked up, imported or called.
#ifndef HELLOCNN_FORMATS_PYTORCH_PICKLE_READER_H_
#define HELLOCNN_FORMATS_PYTORCH_PICKLE_READER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// One value of a pickle. Values refer to each other by pointer, may share parts and may form
// cycles. Code that traverses them must limit the depth and the number of steps.
struct PickleValue {
  enum class Kind {
    kNone,
    kBool,          // integer: 0 or 1
    kInt,           // integer
    kFloat,         // real
    kString,        // text, also for byte strings
    kTuple,         // items
    kList,          // items
    kDict,          // entries, in the order they were written
    kSymbol,        // text: "module.name", which is never looked up
    kCall,          // callee(*arguments), which is never called; entries if used as a dict; state
    kObject,        // an instance of class callee, with arguments, entries and state like kCall
    kPersistentId,  // arguments: the identifier of an object outside of the pickle
  };

  Kind kind = Kind::kNone;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<const PickleValue*> items;
  std::vector<std::pair<const PickleValue*, const PickleValue*>> entries;
  const PickleValue* callee = nullptr;     // a kSymbol
  const PickleValue* arguments = nullptr;  // a kTuple; of any kind for kPersistentId
  const PickleValue* state = nullptr;      // null if there is none

  // Returns true if this is a call of the symbol (kCall) or an instance of it (kObject).
  bool Is(Kind wanted, const std::string& symbol) const {
    return kind == wanted && callee != nullptr && callee->text == symbol;
  }
};

// Returns a description for messages: "the string \"abc\"", "a list of 3", "an object of class
// __main__.Net". It does not describe the values inside.
std::string Describe(const PickleValue& value);

// Owns all values of one pickle. Pointers to them are valid as long as this object lives, and stay
// valid when it is moved.
class Pickle {
 public:
  const PickleValue& root() const { return *root_; }
  // Returns all values, in the order in which the pickle makes them.
  const std::deque<PickleValue>& values() const { return values_; }

 private:
  friend class PickleMachine;

  std::deque<PickleValue>
      values_;  // never shrinks, so pointers stay valid; owns the values, so cycles do not leak
  const PickleValue* root_ = nullptr;
};

// Reads a pickle of protocol 2 to 5 that spans all of `bytes`. Takes time and memory in proportion
// to the number of bytes, whatever their content. INVALID_ARGUMENT: the pickle is invalid. The
// message starts with `name` and gives the offset, the value found and the value wanted.
absl::StatusOr<Pickle> ReadPickle(const std::string& name, const std::string& bytes);

// Does the same for a pickle that begins at `*offset`, at most bytes.size(), and has something
// behind it. Moves `*offset` there.
absl::StatusOr<Pickle> ReadPickleAt(const std::string& name, const std::string& bytes,
                                    std::size_t* offset);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_PICKLE_READER_H_
