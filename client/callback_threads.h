// Keeps gRPC's callback threads alive.
#ifndef HELLOCNN_CLIENT_CALLBACK_THREADS_H_
#define HELLOCNN_CLIENT_CALLBACK_THREADS_H_

namespace hellocnn::client {

// Keeps the callback threads of gRPC running from the first call on until the process ends.
// Otherwise gRPC 1.51 stops and joins these threads when the last channel that made a call with a
// callback is destroyed. If a caller drops a Client while calls are in flight, that happens in a
// callback, on one of these threads. The thread then frees memory twice that it still uses.
// Thread-safe; does not block.
void KeepCallbackThreads();

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CALLBACK_THREADS_H_
