// The inputs and results of calls.
#ifndef HELLOCNN_CLIENT_CLIENT_TYPES_H_
#define HELLOCNN_CLIENT_CLIENT_TYPES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace hellocnn::client {

inline constexpr int kImageSide = 32;
inline constexpr int kImagePixels = kImageSide * kImageSide;

// One 32x32 image with one channel, row by row from the top left. An Image is a value: copies are
// independent. Several threads may use distinct images, and may read the same image.
class Image {
 public:
  // Returns an image of 1,024 grey levels, 0 (black) to 255 (white), light on dark. Fails with
  // INVALID_ARGUMENT if the number of pixels is different.
  static absl::StatusOr<Image> Gray8(absl::Span<const std::uint8_t> pixels);

  // Returns an image of 1,024 values, already normalised as ModelInfo::preprocessing says. Fails
  // with INVALID_ARGUMENT if the number of pixels is different, or if a value is not finite.
  static absl::StatusOr<Image> Float32(absl::Span<const float> pixels);

  bool is_float32() const { return is_float32_; }
  // Returns the pixels as they are sent: 1,024 bytes, or 4,096 bytes of little-endian binary32.
  const std::string& bytes() const { return bytes_; }

 private:
  Image(bool is_float32, std::string bytes) : is_float32_(is_float32), bytes_(std::move(bytes)) {}

  bool is_float32_;
  std::string bytes_;
};

// Names a model and its version, in UTF-8. In a request both may be empty: without a name it is the
// server's default model, and without a version it is that model's current version.
struct ModelVersion {
  std::string name;     // "mnist"
  std::string version;  // "1"; compare for equality only

  // Returns true if neither is set, so that a request gets the default model.
  bool empty() const { return name.empty() && version.empty(); }

  friend bool operator==(const ModelVersion&, const ModelVersion&) = default;
};

// The result for one image. The number of classes is a property of the model: 2 to 1,024, the size
// of ModelInfo::labels.
struct Prediction {
  int class_index = 0;  // the most likely class; of equally likely ones, the lowest index
  std::string label;    // of that class, as in ModelInfo::labels
  std::vector<float> log_probabilities;  // one natural logarithm for each class, by class index

  // Returns the probability of a class, 0 to 1. `index` must be 0 or more, and less than
  // log_probabilities.size().
  double Probability(int index) const;
};

// Where a request spent its time in the server, network excluded.
struct Timing {
  absl::Duration queue;    // from acceptance until a worker took its first image
  absl::Duration compute;  // from then until its last image was classified
  int batch_size = 0;      // images in the largest batch that held an image of the request
};

struct ClassifyResult {
  std::vector<Prediction> predictions;  // one for each image, in their order
  std::string model_name;
  std::string model_version;  // compare for equality only
  Timing timing;
};

// One row of the layer table.
struct LayerInfo {
  std::string name;               // "conv.0"
  std::string operation;          // "Conv2d(1, 6, kernel 5x5)"
  std::vector<int> output_shape;  // of one image, for example [6, 28, 28]
  std::int64_t parameters = 0;
  std::int64_t multiply_adds = 0;  // for one image
};

// value = (grey / 255 - mean) / standard_deviation
struct Preprocessing {
  int content_size = 28;  // rows and columns of the digit before padding
  int padding = 2;        // black pixels added on each side, before normalisation
  float mean = 0;
  float standard_deviation = 1;
};

struct Limits {
  int max_images_per_request = 0;
  int max_batch_size = 0;
  int queue_capacity = 0;     // images; more are rejected with RESOURCE_EXHAUSTED
  int max_message_bytes = 0;  // of one request
};

struct ModelInfo {
  std::string name;
  std::string version;
  std::vector<std::string> labels;  // by class index; 2 to 1,024
  std::vector<LayerInfo> layers;    // from input to output
  std::int64_t parameters = 0;
  std::int64_t multiply_adds = 0;  // for one image
  // 0 to 1, as the model card says; unset if it does not.
  std::optional<double> test_accuracy;
  std::string weights_sha256;  // of the weight file; empty from a server that does not tell
  // The model card was written for other weights, so that what it says may be wrong.
  bool card_of_other_weights = false;
  Preprocessing preprocessing;
  Limits limits;
};

// What a server does with one version of a model.
enum class ModelState {
  kUnknown,     // a state that only servers newer than this client know
  kLoading,     // being loaded, verified and warmed up
  kServing,     // requests can name it
  kDraining,    // withdrawn: takes no more requests, and finishes those that it has
  kFailed,      // cannot be served; the server tries again when its files have changed
  kStandby,     // replaced by a higher version, and still loaded, so that it can take over again
  kRolledBack,  // withdrawn by Client::RollBack
};

// Returns "LOADING", "SERVING", "DRAINING", "FAILED", "STANDBY", "ROLLED_BACK" or "UNKNOWN".
std::string ToString(ModelState state);

// The part that a candidate for the place of the current version has in requests that name no
// version.
struct Rollout {
  enum class Mode {
    kUnknown,  // a mode that only servers newer than this client know
    kShadow,   // the current version responds, and the candidate's results are only compared
    kCanary,   // the candidate responds, and the current version's results are only compared
  };
  Mode mode = Mode::kUnknown;
  double share = 0;  // of the requests; more than 0, at most 1
};

// Returns "SHADOW", "CANARY" or "UNKNOWN".
std::string ToString(Rollout::Mode mode);

struct ModelStatus {
  ModelVersion model;
  ModelState state = ModelState::kUnknown;
  // Why it cannot be served or, if it is served, what needs attention. For people, in English. It
  // comes from the server, so escape it before you write it to a terminal.
  std::string reason;
  bool is_current = false;  // serves requests that name the model and no version
  bool is_default = false;  // serves requests that name no model
  // Set while it is a candidate, and the current version serves too.
  std::optional<Rollout> rollout;
};

// A rollback, or one that is undone.
struct Rollback {
  ModelVersion from;  // was current, or the candidate
  ModelVersion to;    // is current now; of one that is undone, it may first have to be loaded
};

// The serving statuses of grpc.health.v1.
enum class HealthStatus { kUnknown, kServing, kNotServing, kServiceUnknown };

// Returns "SERVING", "NOT_SERVING", and so on.
std::string ToString(HealthStatus status);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLIENT_TYPES_H_
