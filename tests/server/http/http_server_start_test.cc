// What happens to the listening socket when the library's thread cannot start. This program has a
// close and a pthread_create of its own, which the library calls in place of those of libc; as
// sanitizers do the same, it is not built for them.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <iterator>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/http/http_server.h"

namespace {

std::atomic<bool> threads_fail = false;
std::atomic<int> failed_threads = 0;
std::atomic<int> closes_of_nothing = 0;  // of numbers that were no open file

}  // namespace

extern "C" int close(int descriptor) {
  const auto result = static_cast<int>(syscall(SYS_close, descriptor));
  if (result != 0 && errno == EBADF) ++closes_of_nothing;
  return result;
}

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) noexcept {
  if (threads_fail) {
    ++failed_threads;
    return EAGAIN;
  }
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return create(thread, attributes, start, argument);
}

namespace hellocnn::server {
namespace {

std::ptrdiff_t OpenFiles() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

HttpResponse Nothing(const HttpRequest& /*request*/) { return {}; }

TEST(HttpServerStartTest, WithoutAThreadTheSocketIsClosedOnceAndNothingIsLeftOpen) {
  const std::ptrdiff_t before = OpenFiles();
  threads_fail = true;
  const auto server = HttpServer::Start({.address = "127.0.0.1:0"}, RespondAtOnce(&Nothing));
  threads_fail = false;
  ASSERT_EQ(failed_threads, 1) << "the library did not call this program's pthread_create";
  EXPECT_EQ(server.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(server.status().message()), ::testing::HasSubstr("127.0.0.1:0"));
  EXPECT_EQ(closes_of_nothing, 0);
  EXPECT_EQ(OpenFiles(), before);
}

TEST(HttpServerStartTest, WhatHasStartedClosesEachOfItsFilesOnce) {
  const std::ptrdiff_t before = OpenFiles();
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(HttpServer::Start({.address = "127.0.0.1:0"}, RespondAtOnce(&Nothing)).ok());
  EXPECT_EQ(closes_of_nothing, 0);
  EXPECT_EQ(OpenFiles(), before);
}

}  // namespace
}  // namespace hellocnn::server
