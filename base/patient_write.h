// Writes to descriptors whose readers may be slow.
#ifndef HELLOCNN_BASE_PATIENT_WRITE_H_
#define HELLOCNN_BASE_PATIENT_WRITE_H_

#include <cstddef>
#include <string_view>

#include "absl/time/time.h"

namespace hellocnn {

// The longest line that a pipe takes as a whole or not at all (PIPE_BUF of Linux).
inline constexpr std::size_t kLongestLine = 4096;

enum class Written {
  kAll,
  kNotYet,  // the reader has taken nothing for as long as the patience was
  kNever,   // the reader is gone, the disk is full, or the descriptor cannot be written
};

// Writes `line`, at most kLongestLine bytes, to `descriptor`, a pipe, terminal, socket or file.
// Blocks for at most `patience` while nobody reads. The process must ignore SIGPIPE. Thread-safe,
// but if several threads or processes write to one pipe, it may block until its reader goes on.
Written WriteLine(int descriptor, std::string_view line, absl::Duration patience);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_PATIENT_WRITE_H_
