#include "server/rpc/transport/http2/http2_core.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/transport/http2/http2_call.h"
#include "server/rpc/transport/http2/session.h"

namespace hellocnn::server {

Http2Core::Http2Core(const Http2Limits& limits, std::vector<Service> services, Http2Events* events,
                     std::function<void(Limit)> on_limit)
    : limits_(limits),
      services_(std::move(services)),
      events_(events),
      on_limit_(std::move(on_limit)),
      memory_(limits.memory_bytes, [this] { ShedGreediest(); }) {
  for (const Service& service : services_) {
    for (const UnaryMethod& method : service.unary) {
      auto& found = methods_[absl::StrCat("/", service.name, "/", method.name)];
      found = std::make_unique<Method>();
      found->unary = &method;
    }
    for (const StreamMethod& method : service.streams) {
      auto& found = methods_[absl::StrCat("/", service.name, "/", method.name)];
      found = std::make_unique<Method>();
      found->stream = &method;
    }
  }
}

Http2Core::~Http2Core() = default;

Method* Http2Core::FindMethod(std::string_view path) {
  const auto found = methods_.find(path);
  return found == methods_.end() ? nullptr : found->second.get();
}

bool Http2Core::AddStream(int own) {
  const int left = limits_.streams - streams_.fetch_add(1, std::memory_order_relaxed);
  if (own < limits_.guaranteed_streams || (own < limits_.streams_per_connection && own < left)) {
    return true;
  }
  RemoveStream();
  return false;
}

bool Http2Core::AddConnection(const std::string& address, Limit* limit) {
  MutexLock lock(&mutex_);
  if (connections_ >= limits_.connections) {
    *limit = Limit::kConnections;
    return false;
  }
  int& own = addresses_[address];
  if (own >= limits_.connections_per_address) {
    *limit = Limit::kConnectionsPerAddress;
    return false;
  }
  ++own;
  ++connections_;
  return true;
}

void Http2Core::RemoveConnection(const std::string& address) {
  {
    MutexLock lock(&mutex_);
    const auto own = addresses_.find(address);
    if (--own->second == 0) addresses_.erase(own);
    --connections_;
  }
  TellIfEmpty();
}

void Http2Core::AddSession(std::shared_ptr<Session> session) {
  MutexLock lock(&mutex_);
  Session* const key = session.get();
  sessions_[key] = std::move(session);
}

void Http2Core::RemoveSession(Session* session) {
  std::shared_ptr<Session> last;  // goes without the lock
  MutexLock lock(&mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  last = std::move(found->second);
  sessions_.erase(found);
}

std::vector<std::shared_ptr<Session>> Http2Core::sessions() const {
  std::vector<std::shared_ptr<Session>> all;
  MutexLock lock(&mutex_);
  all.reserve(sessions_.size());
  for (const auto& [key, session] : sessions_) all.push_back(session);
  return all;
}

void Http2Core::ShedGreediest() {
  if (shedding_.exchange(true)) return;
  std::shared_ptr<Session> greediest;
  {
    MutexLock lock(&mutex_);
    for (const auto& [key, session] : sessions_) {
      if (greediest == nullptr || session->account()->used() > greediest->account()->used()) {
        greediest = session;
      }
    }
  }
  if (greediest == nullptr) {
    shedding_ = false;
  } else {
    greediest->Shed();
  }
}

void Http2Core::RemoveSource() {
  if (sources_.fetch_sub(1) > 1) return;
  MutexLock lock(&mutex_);
  emptied_.SignalAll();
}

void Http2Core::WaitUntilNoSources(Instant deadline) {
  MutexLock lock(&mutex_);
  while (sources_ > 0 && !emptied_.WaitUntil(&mutex_, deadline)) {
  }
}

void Http2Core::RemoveCall() {
  if (calls_.fetch_sub(1, std::memory_order_acq_rel) == 1) TellIfEmpty();
}

void Http2Core::TellIfEmpty() {
  if (!wanted_empty_ || !empty()) return;
  MutexLock lock(&mutex_);
  emptied_.SignalAll();
}

bool Http2Core::WaitUntilEmpty(Instant deadline) {
  wanted_empty_ = true;
  MutexLock lock(&mutex_);
  while (!empty()) {
    if (emptied_.WaitUntil(&mutex_, deadline)) return empty();
  }
  return true;
}

}  // namespace hellocnn::server
