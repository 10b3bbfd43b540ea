#include "server/observability/events.h"

namespace hellocnn::server {

MethodId IgnoredEvents::AddMethod(const MethodLabels& /*labels*/) { return {}; }
ModelId IgnoredEvents::AddModel(const ModelLabels& /*labels*/) { return ModelId{1}; }
ReasonId IgnoredEvents::AddReason(ReasonOf /*what*/, const std::string& /*label*/) { return {}; }
bool IgnoredEvents::wants_statistics() const { return false; }
void IgnoredEvents::OnReceived(MethodId /*method*/, std::size_t /*bytes*/) {}
void IgnoredEvents::OnAccepted(MethodId /*method*/, ModelId /*model*/, int /*images*/) {}
void IgnoredEvents::OnRejected(MethodId /*method*/, ModelId /*model*/, ReasonId /*reason*/) {}
void IgnoredEvents::OnEnd(const RequestEnd& /*end*/) {}
void IgnoredEvents::OnBusy(int /*worker*/, absl::Duration /*busy*/) {}
void IgnoredEvents::OnBatch(const BatchEnd& /*batch*/) {}
void IgnoredEvents::OnDropped(ModelId /*model*/, int /*images*/, ReasonId /*reason*/,
                              std::optional<absl::Duration> /*waited*/) {}
void IgnoredEvents::OnDiscarded(ModelId /*model*/, int /*images*/) {}
void IgnoredEvents::OnCandidate(ModelId /*model*/, const std::string& /*mode*/, double /*share*/) {}
void IgnoredEvents::OnCompared(const ComparisonEnd& /*comparison*/) {}
void IgnoredEvents::OnNotCompared(ModelId /*candidate*/, ReasonId /*reason*/) {}
void IgnoredEvents::OnLimit(ReasonId /*reason*/) {}
void IgnoredEvents::OnModelLoaded(ModelId /*model*/, absl::Duration /*load*/) {}
void IgnoredEvents::OnModelUnloaded(ModelId /*model*/) {}
void IgnoredEvents::OnVersions(int /*serving*/, int /*failed*/) {}

Events* NoEvents() {
  static auto* const none = new IgnoredEvents();  // never destroyed, like the monotonic clock
  return none;
}

}  // namespace hellocnn::server
