#include "server/rpc/transport/http2/tls_credentials.h"

#include <sys/stat.h>

#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kLookAgain = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::shared_ptr<TlsCredentials>> TlsCredentials::Load(Http2Events* events,
                                                                     TlsFiles files,
                                                                     OnReload on_reload) {
  auto made = std::make_shared<TlsCredentials>(events, std::move(files), std::move(on_reload));
  made->read_ = made->seen_ = made->Look();
  if (absl::Status status = made->Reload(); !status.ok()) return status;
  return made;
}

std::shared_ptr<SSL_CTX> TlsCredentials::context() const {
  MutexLock lock(&mutex_);
  return context_;
}

void TlsCredentials::Run(std::uint32_t /*io*/) {
  if (stopped_) return events()->SetTimer(this, Instant::InfiniteFuture());
  Stamps now = Look();
  const bool calm = now == seen_;
  seen_ = std::move(now);
  if (calm && seen_ != read_) {
    read_ = seen_;
    on_reload_(Reload());
  }
  events()->SetTimer(this, Clock::Monotonic()->Now() + kLookAgain);
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
  absl::StatusOr<std::shared_ptr<SSL_CTX>> made = MakeTlsContext(files_);
  if (!made.ok()) return made.status();
  MutexLock lock(&mutex_);
  context_ = *std::move(made);
  return absl::OkStatus();
}

}  // namespace hellocnn::server
