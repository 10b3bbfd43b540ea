// What the server tells about its work. Metrics listen to it; an access log or traces can too.
//
// Listeners are told ids and numbers. The methods, models and reasons are known only at run time.
// The owner of each registers it once, and tells its id with each event.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_EVENTS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_EVENTS_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace hellocnn::server {

// Small numbers from 0 on that Events gives out. Each is valid only for the object that gave it
// out.
enum class MethodId : std::size_t {};
enum class ModelId : std::size_t {};
enum class ReasonId : std::size_t {};

// The id that stands for no model, for requests that have not got one. AddModel never returns it.
inline constexpr ModelId kNoModel{};

struct MethodLabels {
  std::string service;  // full name of the gRPC service
  std::string method;
  bool takes_images = true;  // if false, OnAccepted is never told about the method
};

struct ModelLabels {
  std::string name;
  std::string version;  // not empty
  std::string engine;
  std::optional<double> test_accuracy;    // 0 to 1; unset if it was not measured
  bool card_of_other_weights = false;     // the model card was written for another weight file
  std::vector<std::string> class_labels;  // by class index
};

// What a reason explains.
enum class ReasonOf {
  kRejection,  // a request was rejected
  kRelease,    // a batch left the queue
  kDrop,       // images left the queue without being computed
  kLimit,      // the transport refused a call or closed a connection
  kSkip,       // a request was not compared although it was to be
};

// The most likely class of an image, and its probability, 0 to 1.
struct Confidence {
  int class_index;
  double probability;
};

// Mean and standard deviation of an image's grey levels, black being 0 and white 1.
struct GreyLevels {
  double mean;
  double contrast;
};

struct RequestEnd {
  MethodId method{};
  // The model that the request was for. kNoModel if it needs none, or ended before it had one.
  ModelId model = kNoModel;
  // The code that the caller has seen, as far as the server can know.
  absl::StatusCode code = absl::StatusCode::kOk;
  // From receiving the request until its response was ready.
  absl::Duration duration;
  // Of the response that was sent; 0 if there was none.
  std::size_t sent_bytes = 0;

  // The outcome of the images, if all of them were computed. At most one of the next two is not 0.
  // Workers report the images that were not computed because they were dropped or the engine
  // failed.
  int sent_images = 0;       // their predictions were sent
  int discarded_images = 0;  // the caller was gone
  // One for each image that was sent; empty if wants_statistics() is false. Valid during the call.
  std::span<const Confidence> confidences;
};

struct BatchEnd {
  ModelId model{};
  int images = 0;  // in the batch
  // The images of requests for which the engine failed: all images of such a request in this batch.
  int failed_images = 0;
  ReasonId release{};  // why the batch left the queue
  absl::Duration compute;
  // The images were accepted from nobody. They are computed only to be compared, and what follows
  // is empty.
  bool spare = false;
  // These are valid during the call. There is one wait for each request whose first image is in
  // this batch: the time that the request was queued. There are grey levels for each image, or none
  // if wants_statistics() is false.
  std::span<const absl::Duration> queue_waits;
  std::span<const GreyLevels> grey_levels;
};

// How the results of two versions differ for one image.
struct Difference {
  int class_index;  // that the current version says
  bool same_class;  // the candidate says so too
  double distance;  // see LogProbabilityDistance
};

// A request that the current version and the candidate have both computed.
struct ComparisonEnd {
  ModelId candidate{};
  std::span<const Difference> images;  // valid during the call
};

// Requests. A request is a unary call or one request of a stream. Each one is told in this order:
// OnReceived once; then OnAccepted or OnRejected once, or none of them if its caller went away or
// it needs no queue; then OnEnd once. OnAccepted is told before a worker can take the request's
// images, so at no time are more images computed or dropped than were accepted.
//
// Images. Each accepted image ends in exactly one of these: in OnEnd, sent or discarded; in
// OnBatch, failed; in OnDropped; in OnDiscarded. Images that are computed a second time, to be
// compared, do not count here: there are only spare batches of them.
//
// Thread-safe. Registering may block; after that nothing blocks, takes a lock that another thread
// could hold for long, or calls back, so that it may be called while a lock is held. An id must
// have been given out by this object, and have reached the calling thread in a way that
// synchronizes the two threads.
class Events {
 public:
  virtual ~Events() = default;

  // Register labels and return their id. The same labels get the same id again. May be called at
  // any time, also while other threads tell events. A model is known by its name and version, and
  // they may have other labels only once OnModelUnloaded was told of them.
  virtual MethodId AddMethod(const MethodLabels& labels) = 0;
  virtual ModelId AddModel(const ModelLabels& labels) = 0;
  virtual ReasonId AddReason(ReasonOf what, const std::string& label) = 0;

  // Returns true if somebody reads the statistics of images. Otherwise they need not be computed.
  // Constant.
  virtual bool wants_statistics() const = 0;

  // Called when a request of `bytes` bytes has been read.
  virtual void OnReceived(MethodId method, std::size_t bytes) = 0;
  // Called when the queue has admitted the images of a request.
  virtual void OnAccepted(MethodId method, ModelId model, int images) = 0;
  // Called when a request is rejected. `model` is as in RequestEnd.
  virtual void OnRejected(MethodId method, ModelId model, ReasonId reason) = 0;
  virtual void OnEnd(const RequestEnd& end) = 0;

  // Called when worker number `worker`, from 0 on, was busy for `busy` since its last call: it
  // handled calls or computed, and did not wait.
  virtual void OnBusy(int worker, absl::Duration busy) = 0;
  // Called when an engine has run on a batch.
  virtual void OnBatch(const BatchEnd& batch) = 0;
  // Called when images have left the queue without being computed. `waited` is the time that their
  // request was queued, if none of its images had been taken before.
  virtual void OnDropped(ModelId model, int images, ReasonId reason,
                         std::optional<absl::Duration> waited) = 0;
  // Called when images were computed for a request of which another image failed or was dropped.
  virtual void OnDiscarded(ModelId model, int images) = 0;

  // Called when a model becomes a candidate, with the name of its mode and its share of the
  // requests, more than 0; when these change; and when it is none any more, with a share of 0.
  virtual void OnCandidate(ModelId model, const std::string& mode, double share) = 0;
  virtual void OnCompared(const ComparisonEnd& comparison) = 0;
  // Called when a request was not compared with the results of `candidate`, or by it, although it
  // was to be.
  virtual void OnNotCompared(ModelId candidate, ReasonId reason) = 0;

  // Called when a client has reached a limit of the transport, which refused a call or closed a
  // connection for it.
  virtual void OnLimit(ReasonId reason) = 0;

  // Called when a model has been loaded and warmed up, which took `load`.
  virtual void OnModelLoaded(ModelId model, absl::Duration load) = 0;
  // Called when nothing will be told of a model any more. Its id is invalid after that.
  virtual void OnModelUnloaded(ModelId model) = 0;
  // Called with the number of versions that are served, and of those that should be served and are
  // not, or with which something is wrong.
  virtual void OnVersions(int serving, int failed) = 0;
};

// Ignores everything. The base of classes that want to know of a few events only.
class IgnoredEvents : public Events {
 public:
  MethodId AddMethod(const MethodLabels& labels) override;
  ModelId AddModel(const ModelLabels& labels) override;
  ReasonId AddReason(ReasonOf what, const std::string& label) override;
  bool wants_statistics() const override;
  void OnReceived(MethodId method, std::size_t bytes) override;
  void OnAccepted(MethodId method, ModelId model, int images) override;
  void OnRejected(MethodId method, ModelId model, ReasonId reason) override;
  void OnEnd(const RequestEnd& end) override;
  void OnBusy(int worker, absl::Duration busy) override;
  void OnBatch(const BatchEnd& batch) override;
  void OnDropped(ModelId model, int images, ReasonId reason,
                 std::optional<absl::Duration> waited) override;
  void OnDiscarded(ModelId model, int images) override;
  void OnCandidate(ModelId model, const std::string& mode, double share) override;
  void OnCompared(const ComparisonEnd& comparison) override;
  void OnNotCompared(ModelId candidate, ReasonId reason) override;
  void OnLimit(ReasonId reason) override;
  void OnModelLoaded(ModelId model, absl::Duration load) override;
  void OnModelUnloaded(ModelId model) override;
  void OnVersions(int serving, int failed) override;
};

// Returns an object that ignores all events. It is never null and lives as long as the process.
Events* NoEvents();

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_EVENTS_H_
