#include "server/tls/tls_credentials.h"

#include <utility>
#include <vector>

namespace hellocnn::server {

absl::StatusOr<std::unique_ptr<TlsCredentials>> TlsCredentials::Load(TlsFiles files,
                                                                     OnReload on_reload) {
  auto made = std::make_unique<TlsCredentials>(std::move(files), std::move(on_reload));
  const std::vector<std::string> paths = {made->files_.certificate, made->files_.key,
                                          made->files_.client_ca};
  FileStamps read = StampsOf(paths);
  if (absl::Status status = made->Reload(); !status.ok()) return status;
  made->watcher_.emplace([paths] { return paths; }, std::move(read),
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

absl::Status TlsCredentials::Reload() {
  absl::StatusOr<std::shared_ptr<const TlsContext>> made = TlsContext::Make(files_);
  if (!made.ok()) return made.status();
  MutexLock lock(&mutex_);
  context_ = *std::move(made);
  return absl::OkStatus();
}

}  // namespace hellocnn::server
