// Lets ThreadSanitizer watch tests that run gRPC. Linked into these tests when they are built with
// it, and into nothing else.
//
// Distributions build gRPC, protobuf and Abseil without ThreadSanitizer. It therefore misses what
// orders the threads in these libraries, and reports thousands of races that are none. Two things
// prevent that:
//
// 1. Memory that these libraries read and write is not looked at (DefaultOptions, below).
// 2. The order that gRPC promises is declared: what a thread did before it started an operation
//    happens before what another thread does with the completion of that operation. The functions
//    below take the place of gRPC's own in the dynamic linker, declare the order, and call them.
//
// Nothing is suppressed by name, so every race in this project's code and in the headers that it
// includes is still reported, unless an operation of gRPC orders the two accesses.
#include <dlfcn.h>
#include <grpc/grpc.h>
#include <grpcpp/alarm.h>
#include <grpcpp/server.h>
#include <sanitizer/tsan_interface.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <utility>

// Two functions of gRPC that no installed header declares. All operations begin with the first.
bool grpc_cq_begin_op(grpc_completion_queue* queue, void* tag);
grpc_cq_completion_type grpc_get_cq_completion_type(grpc_completion_queue* queue);

namespace {

[[noreturn]] void Fail(const char* what, const char* name) {
  std::fprintf(stderr, "grpc_under_tsan.cc: %s %s; adapt this file to this release of gRPC\n", what,
               name);
  std::abort();
}

// Returns gRPC's function of this name, as the linker knows it.
template <typename Function>
Function* Original(const char* symbol) {
  void* const found = dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) Fail("gRPC has no function", symbol);
  return reinterpret_cast<Function*>(found);
}

// The completions of callbacks are functors, which gRPC runs. Each kind has one function. Such a
// function is replaced by one of kAcquiring, which calls it.
using Run = void (*)(grpc_completion_queue_functor*, int);

constexpr int kKinds = 4;
std::array<std::atomic<Run>, kKinds> originals;  // relaxed, so that they order no threads

template <int kind>
void AcquireAndRun(grpc_completion_queue_functor* functor, int ok) {
  __tsan_acquire(functor);
  originals[kind].load(std::memory_order_relaxed)(functor, ok);
}

constexpr std::array<Run, kKinds> kAcquiring = {AcquireAndRun<0>, AcquireAndRun<1>,
                                                AcquireAndRun<2>, AcquireAndRun<3>};

// Returns the function that acquires and then calls `run`. An operation may begin again with a
// functor that has been changed already.
Run Acquiring(Run run) {
  for (int kind = 0; kind < kKinds; ++kind) {
    if (run == kAcquiring[kind]) return run;
    Run known = nullptr;
    if (originals[kind].compare_exchange_strong(known, run, std::memory_order_relaxed) ||
        known == run) {
      return kAcquiring[kind];
    }
  }
  Fail("more kinds of callbacks than", "kKinds");
}

// Stands for all operations together.
char operations;

grpc_event Acquired(const grpc_event& event) {
  if (event.type == GRPC_OP_COMPLETE) __tsan_acquire(event.tag);
  return event;
}

}  // namespace

bool grpc_cq_begin_op(grpc_completion_queue* queue, void* tag) {
  static auto* const original = Original<bool(grpc_completion_queue*, void*)>(
      "_Z16grpc_cq_begin_opP21grpc_completion_queuePv");
  if (grpc_get_cq_completion_type(queue) == GRPC_CQ_CALLBACK) {
    auto* const functor = static_cast<grpc_completion_queue_functor*>(tag);
    functor->functor_run = Acquiring(functor->functor_run);
  }
  __tsan_release(tag);
  __tsan_release(&operations);
  return original(queue, tag);
}

extern "C" grpc_event grpc_completion_queue_next(grpc_completion_queue* queue,
                                                 gpr_timespec deadline, void* reserved) {
  static auto* const original =
      Original<grpc_event(grpc_completion_queue*, gpr_timespec, void*)>(__func__);
  return Acquired(original(queue, deadline, reserved));
}

extern "C" grpc_event grpc_completion_queue_pluck(grpc_completion_queue* queue, void* tag,
                                                  gpr_timespec deadline, void* reserved) {
  static auto* const original =
      Original<grpc_event(grpc_completion_queue*, void*, gpr_timespec, void*)>(__func__);
  return Acquired(original(queue, tag, deadline, reserved));
}

// A server has waited for its handlers, each of which ends by sending a status.
void grpc::Server::Wait() {
  static auto* const original = Original<void(Server*)>("_ZN4grpc6Server4WaitEv");
  original(this);
  __tsan_acquire(&operations);
}

// The alarm that calls a function is no operation on a completion queue.
void grpc::Alarm::SetInternal(gpr_timespec deadline, std::function<void(bool)> function) {
  static auto* const original = Original<void(Alarm*, gpr_timespec, std::function<void(bool)>)>(
      "_ZN4grpc5Alarm11SetInternalE12gpr_timespecSt8functionIFvbEE");
  auto* const kept = new std::function<void(bool)>(std::move(function));
  __tsan_release(kept);
  original(this, deadline, [kept](bool rang) {  // called exactly once, by ~Alarm at the latest
    __tsan_acquire(kept);
    (*kept)(rang);
    delete kept;
  });
}

// Options for the run-time library of ThreadSanitizer. TSAN_OPTIONS may override them.
extern "C" const char* DefaultOptions() __asm__("__tsan_default_options");
extern "C" const char* DefaultOptions() { return "ignore_noninstrumented_modules=1"; }
