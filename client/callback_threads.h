// gRPC's threads that run callbacks.
#ifndef HELLOCNN_CLIENT_CALLBACK_THREADS_H_
#define HELLOCNN_CLIENT_CALLBACK_THREADS_H_

namespace hellocnn::client {

// From the first call on, these threads stay until the process ends. Else gRPC 1.51 ends them and
// waits for them when the last channel goes that has made a call with a callback; if that happens
// in a callback, as when a caller drops a Client while calls are open, it happens on one of
// themselves, which then frees twice what it still uses. Thread-safe; does not block.
void KeepCallbackThreads();

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CALLBACK_THREADS_H_
