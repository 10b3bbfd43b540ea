#include "server/tls/tls_credentials.h"

#include <utility>
#include <vector>

namespace hellocnn::server {

absl::StatusOr<std::unique_ptr<TlsCredentials>> TlsCredentials::Load(TlsFiles files,
                                                                     OnReload on_reload) {
  auto made = std::make_unique<TlsCredentials>(std::move(files), std::move(on_reload));
  FileStamps read = StampsOf(made->paths());
  if (absl::Status status = made->Reload(); !status.ok()) return status;
  made->watcher_.emplace([self = made.get()] { return self->paths(); }, std::move(read),
                         [self = made.get()] {
                           self->on_reload_(self->Reload());
                           return false;
                         });
  return made;
}

std::shared_ptr<const TlsContext> TlsCredentials::context() const {
  MutexLock lock(&mutex_);
  return context_;
}

std::vector<std::string> TlsCredentials::paths() const {
  return {files_.certificate, files_.key, files_.client_ca};
}

absl::Status TlsCredentials::Reload() {
  absl::StatusOr<std::shared_ptr<const TlsContext>> made = TlsContext::Make(files_);
  if (!made.ok()) return made.status();
  MutexLock lock(&mutex_);
  context_ = *std::move(made);
  return absl::OkStatus();
}

}  // namespace hellocnn::server
