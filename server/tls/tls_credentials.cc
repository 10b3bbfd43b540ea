#include "server/tls/tls_credentials.h"

#include <sys/stat.h>

#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<TlsCredentials>> TlsCredentials::Load(TlsFiles files,
                                                                     OnReload on_reload) {
  auto made = std::make_unique<TlsCredentials>(std::move(files), std::move(on_reload));
  Stamps read = made->Look();
  if (absl::Status status = made->Reload(); !status.ok()) return status;
  made->thread_ = std::thread(&TlsCredentials::Follow, made.get(), std::move(read));
  return made;
}

TlsCredentials::~TlsCredentials() {
  stop_.Notify();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const TlsContext> TlsCredentials::context() const {
  MutexLock lock(&mutex_);
  return context_;
}

// `read` is of the files that were read last, and `seen` of those at the last look.
void TlsCredentials::Follow(Stamps read) {
  Stamps seen = read;
  while (!stop_.WaitUntil(Clock::Monotonic()->Now() + kLookAgain)) {
    Stamps now = Look();
    const bool calm = now == seen;
    seen = std::move(now);
    if (calm && seen != read) {
      read = seen;
      on_reload_(Reload());
    }
  }
}

TlsCredentials::Stamps TlsCredentials::Look() const {
  Stamps stamps;
  for (const std::string& path : {files_.certificate, files_.key, files_.client_ca}) {
    struct stat found {};  // zeros for a file that is not there
    if (stat(path.c_str(), &found) != 0) found = {};
    for (const std::int64_t part :
         {static_cast<std::int64_t>(found.st_dev), static_cast<std::int64_t>(found.st_ino),
          static_cast<std::int64_t>(found.st_size), static_cast<std::int64_t>(found.st_mtim.tv_sec),
          static_cast<std::int64_t>(found.st_mtim.tv_nsec),
          static_cast<std::int64_t>(found.st_ctim.tv_sec),
          static_cast<std::int64_t>(found.st_ctim.tv_nsec)}) {
      stamps.push_back(part);
    }
  }
  return stamps;
}

absl::Status TlsCredentials::Reload() {
  absl::StatusOr<std::shared_ptr<const TlsContext>> made = TlsContext::Make(files_);
  if (!made.ok()) return made.status();
  MutexLock lock(&mutex_);
  context_ = *std::move(made);
  return absl::OkStatus();
}

}  // namespace hellocnn::server
