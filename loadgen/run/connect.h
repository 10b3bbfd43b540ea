// Opens the connections that a load is sent over.
#ifndef HELLOCNN_LOADGEN_RUN_CONNECT_H_
#define HELLOCNN_LOADGEN_RUN_CONNECT_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "hellocnn/client/client_options.h"
#include "loadgen/core/caller.h"

namespace hellocnn::load {

// Opens `count` separate connections to the target of `options`, ready for use. With round_robin,
// each is one to every address. All options that concern connections hold, but nothing is retried.
// Blocks.
// UNAVAILABLE: they were not ready within `patience`. RESOURCE_EXHAUSTED: the process may not open
// so many files. CANCELLED: `stop` became true. Besides, the errors of TokenSource::Open.
absl::StatusOr<Channels> Connect(const client::ClientOptions& options, int count, Nanos patience,
                                 const std::atomic<bool>& stop);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_CONNECT_H_
