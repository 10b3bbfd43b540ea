#include "base/out_of_memory.h"

#include <unistd.h>

#include <cstdlib>
#include <initializer_list>
#include <new>

#include "base/patient_write.h"

namespace hellocnn {
namespace {

const char* program_name = "";
const char* what_to_do = "";

[[noreturn]] void Exit() {
  for (const char* text : {program_name, ": out of memory; ", what_to_do, "\n"}) {
    WriteLine(STDERR_FILENO, text, absl::Milliseconds(100));  // nobody to tell if it fails
  }
  std::_Exit(1);
}

}  // namespace

void ExitWhenOutOfMemory(const char* program, const char* advice) {
  program_name = program;
  what_to_do = advice;
  std::set_new_handler(Exit);
}

}  // namespace hellocnn
