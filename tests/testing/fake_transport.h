// A transport without sockets and threads. A test plays the caller, and decides what happens when.
#ifndef HELLOCNN_TESTS_TESTING_FAKE_TRANSPORT_H_
#define HELLOCNN_TESTS_TESTING_FAKE_TRANSPORT_H_

#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::testing {

class FakeMessage final : public server::Message {
 public:
  FakeMessage() = default;
  explicit FakeMessage(std::string bytes) : bytes_(std::move(bytes)) {}

  std::size_t size() const override { return bytes_.size(); }
  google::protobuf::io::ZeroCopyInputStream* Pieces() override {
    return &pieces_.emplace(bytes_.data(), static_cast<int>(bytes_.size()));
  }
  std::span<std::uint8_t> Allocate(std::size_t size) override {
    bytes_.assign(size, '\0');
    return {reinterpret_cast<std::uint8_t*>(bytes_.data()), size};
  }
  void Clear() override { bytes_.clear(); }

  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
  std::optional<google::protobuf::io::ArrayInputStream> pieces_;
};

// What both kinds have. `Interface` is UnaryRpc or StreamRpc. Thread-safe.
template <typename Interface>
class FakeRpc : public Interface {
 public:
  Instant deadline() const override { return deadline_; }
  std::uint64_t caller() const override { return caller_; }
  std::optional<std::string_view> Metadata(std::string_view key) const override {
    const auto found = metadata_.find(std::string(key));
    if (found == metadata_.end()) return std::nullopt;
    return found->second;
  }
  std::string Peer() const override { return "10.0.0.1"; }
  std::vector<std::string> CertificateNames() const override { return certificate_names_; }
  // The services of the server send none.
  void AddInitialMetadata(std::string_view key, std::string_view /*value*/) override {
    ADD_FAILURE() << "unexpected metadata " << key;
  }
  void Hold() override { held_.fetch_add(1); }
  void Release() override {
    if (held_.fetch_sub(1) == 1) OnLastRelease();
  }

  // Before the call.
  void set_deadline(Instant deadline) { deadline_ = deadline; }
  void set_caller(std::uint64_t caller) { caller_ = caller; }
  void set_certificate_names(std::vector<std::string> names) {
    certificate_names_ = std::move(names);
  }
  void set_metadata(std::string key, std::string value) {
    metadata_[std::move(key)] = std::move(value);
  }

 protected:
  virtual void OnLastRelease() = 0;
  // Begins a call, which these many operations hold.
  void Begin(int operations) { held_.store(operations); }

 private:
  Instant deadline_ = Instant::InfiniteFuture();
  std::uint64_t caller_ = 0;
  std::vector<std::string> certificate_names_;
  std::map<std::string, std::string> metadata_;
  std::atomic<int> held_{0};
};

// A unary call after the other, all with one handler.
class FakeUnaryRpc final : public FakeRpc<server::UnaryRpc> {
 public:
  // What the caller gets.
  struct End {
    absl::Status status;
    std::string response;
    std::map<std::string, std::string> trailers;
  };

  void set_handler(std::unique_ptr<server::CallHandler> handler) { handler_ = std::move(handler); }

  // Makes a call. It has finished if the handler finishes it inline.
  void Call(std::string request) {
    request_.bytes() = std::move(request);
    {
      MutexLock lock(&mutex_);
      end_.reset();
      over_ = false;
    }
    Begin(2);  // OnCall and Finish
    handler_->OnCall();
    Release();
  }
  // Must be called during a call that the test keeps from finishing.
  void Cancel() { handler_->OnCancel(); }
  // Blocks until the call is over.
  End WaitUntilOver() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    while (!over_) changed_.Wait(&mutex_);
    return *end_;
  }

  server::Message* request() override { return &request_; }
  server::Message* response() override { return &response_; }
  using Rpc::Finish;
  void Finish(const absl::Status& status, std::span<const server::Trailer> trailers) override {
    {
      MutexLock lock(&mutex_);
      EXPECT_FALSE(end_.has_value()) << "finished twice";
      end_.emplace(End{.status = status, .response = response_.bytes(), .trailers = {}});
      for (const server::Trailer& trailer : trailers) {
        end_->trailers[std::string(trailer.key)] = std::string(trailer.value);
      }
    }
    request_.bytes().assign(request_.size(), '\xff');  // a view of it must not be used from now on
    response_.Clear();
    Release();
  }

 private:
  void OnLastRelease() override {
    handler_->OnEnd();
    MutexLock lock(&mutex_);
    over_ = true;
    changed_.SignalAll();
  }

  FakeMessage request_;
  FakeMessage response_;
  Mutex mutex_;
  CondVar changed_;
  std::optional<End> end_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<server::CallHandler> handler_;
};

// One stream. Threads of the test play the two directions of the connection: one calls Send, one
// calls Take, and any may call Cancel. The functions of the handler run on these threads.
class FakeStreamRpc final : public FakeRpc<server::StreamRpc> {
 public:
  void Call(std::shared_ptr<server::StreamHandler> handler) {
    handler_ = std::move(handler);
    Begin(3);  // OnCall, Finish, and what ends in WaitUntilOver
    handler_->OnCall();
    Release();
  }

  // Blocks until the stream reads, and gives it the request. Returns false if it has finished or
  // was cancelled.
  bool Send(std::string request) { return EndRead(std::move(request)); }
  // Says that no more requests follow.
  void HalfClose() { EndRead(std::nullopt); }
  // Blocks until the stream writes, and takes the response, or returns nothing if it has finished
  // or was cancelled.
  std::optional<std::string> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::string response;
    bool ok;
    {
      MutexLock lock(&mutex_);
      while (writing_ == nullptr && !status_.has_value()) changed_.Wait(&mutex_);
      if (writing_ == nullptr) return std::nullopt;
      response = std::exchange(writing_, nullptr)->bytes();
      ok = !cancelled_;
    }
    handler_->OnWritten(ok);
    Release();
    if (!ok) return std::nullopt;
    return response;
  }
  // Cancels the stream, as a transport does for a caller that is gone. Must be called at most once.
  void Cancel() ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      cancelled_ = true;
      changed_.SignalAll();
    }
    handler_->OnCancel();
  }
  // Blocks until the stream is over. Must be called last, and once. Ends the outstanding read, and
  // takes the responses that are left.
  absl::Status WaitUntilOver() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (Take().has_value()) {
    }
    bool more = true;
    while (more) {
      bool read = false;
      {
        MutexLock lock(&mutex_);
        while (reading_ == nullptr && writing_ == nullptr && !status_.has_value()) {
          changed_.Wait(&mutex_);
        }
        read = reading_ != nullptr;
        more = read || writing_ != nullptr;
      }
      if (read) {
        EndRead(std::nullopt);
      } else if (more) {
        Take();
      }
    }
    Release();
    MutexLock lock(&mutex_);
    while (!over_) changed_.Wait(&mutex_);
    return *status_;
  }

  std::unique_ptr<server::Message> MakeMessage() override {
    return std::make_unique<FakeMessage>();
  }
  void Read(server::Message* request) override ABSL_LOCKS_EXCLUDED(mutex_) {
    Hold();
    MutexLock lock(&mutex_);
    EXPECT_EQ(reading_, nullptr) << "two reads";
    EXPECT_FALSE(status_.has_value()) << "a read after the end";
    reading_ = static_cast<FakeMessage*>(request);
    reading_->Clear();
    changed_.SignalAll();
  }
  void Write(server::Message* response) override ABSL_LOCKS_EXCLUDED(mutex_) {
    Hold();
    MutexLock lock(&mutex_);
    EXPECT_EQ(writing_, nullptr) << "two writes";
    EXPECT_FALSE(status_.has_value()) << "a write after the end";
    writing_ = static_cast<FakeMessage*>(response);
    changed_.SignalAll();
  }
  using Rpc::Finish;
  void Finish(const absl::Status& status, std::span<const server::Trailer> /*trailers*/) override
      ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      MutexLock lock(&mutex_);
      EXPECT_FALSE(status_.has_value()) << "finished twice";
      EXPECT_EQ(writing_, nullptr) << "finished while a write is outstanding";
      status_ = status;
      changed_.SignalAll();
    }
    Release();
  }

 private:
  bool EndRead(std::optional<std::string> request) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool ok;
    {
      MutexLock lock(&mutex_);
      while (reading_ == nullptr && !status_.has_value() && !cancelled_) changed_.Wait(&mutex_);
      if (reading_ == nullptr) return false;
      ok = request.has_value() && !cancelled_ && !status_.has_value();
      if (ok) reading_->bytes() = *std::move(request);
      reading_ = nullptr;
    }
    handler_->OnRead(ok);
    Release();
    return ok;
  }
  void OnLastRelease() override ABSL_LOCKS_EXCLUDED(mutex_) {
    handler_->OnEnd();
    handler_ = nullptr;
    MutexLock lock(&mutex_);
    over_ = true;
    changed_.SignalAll();
  }

  Mutex mutex_;
  CondVar changed_;
  FakeMessage* reading_ ABSL_GUARDED_BY(mutex_) = nullptr;  // the outstanding read
  FakeMessage* writing_ ABSL_GUARDED_BY(mutex_) = nullptr;  // the outstanding write
  std::optional<absl::Status> status_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<server::StreamHandler> handler_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_FAKE_TRANSPORT_H_
