// What a program does when there is no memory left.
#ifndef HELLOCNN_BASE_OUT_OF_MEMORY_H_
#define HELLOCNN_BASE_OUT_OF_MEMORY_H_

namespace hellocnn {

// From now on the process exits with status 1 when `new` finds no memory, on whatever thread, after
// the line "`program`: out of memory; `advice`" on standard error. Nothing is cleaned up, because
// that could need memory, too. Without this the process would abort. Both texts must live as long
// as the process. For main.
void ExitWhenOutOfMemory(const char* program, const char* advice);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_OUT_OF_MEMORY_H_
