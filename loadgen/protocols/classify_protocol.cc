#include "loadgen/protocols/classify_protocol.h"

#include <google/protobuf/arena.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hellocnn/v1/classifier_service.pb.h"

namespace hellocnn::load {
namespace {

using std::chrono::nanoseconds;

nanoseconds FromProto(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + nanoseconds(duration.nanos());
}

void AddImages(const Images& images, std::size_t first, int count,
               google::protobuf::RepeatedPtrField<v1::Image>& out) {
  for (int i = 0; i < count; ++i) {
    const client::Image& image = images.images[(first + i) % images.images.size()];
    if (image.is_float32()) {
      out.Add()->set_float32(image.bytes());
    } else {
      out.Add()->set_gray8(image.bytes());
    }
  }
}

class ClassifyJudge : public Judge {
 public:
  ClassifyJudge(const ClassifyOptions& options, const std::vector<int>* labels)
      : streaming_(options.streaming),
        images_(options.images_per_request),
        classes_(options.classes),
        labels_(labels),
        memory_(kBytesPerAnswer + (kBytesPerPrediction + 4 * std::size_t(classes_)) * images_),
        arena_(memory_.data(), memory_.size()) {}

  void Read(grpc::ByteBuffer& answer, Verdict& verdict) override {
    verdict = Verdict();
    arena_.Reset();
    if (!streaming_) {
      auto* response = google::protobuf::Arena::CreateMessage<v1::ClassifyResponse>(&arena_);
      response_ = response;
      if (!Parse(answer, *response)) return Break(verdict, "it cannot be parsed");
    } else {
      auto* message = google::protobuf::Arena::CreateMessage<v1::ClassifyStreamResponse>(&arena_);
      if (!Parse(answer, *message)) return Break(verdict, "it cannot be parsed");
      response_ = &message->result();
      verdict.id = message->id();
      if (message->has_error()) {
        const int code = message->error().code();
        if (code < 1 || code > 16) return Break(verdict, absl::StrCat("status ", code));
        verdict.code = code;
        verdict.message = message->error().message();
        return;
      }
      if (!message->has_result()) return Break(verdict, "neither a result nor an error");
    }
    if (response_->predictions_size() != images_) {
      return Break(verdict, absl::StrCat(response_->predictions_size(), " predictions for ",
                                         images_, " images"));
    }
    for (const v1::Prediction& prediction : response_->predictions()) {
      if (prediction.log_probabilities_size() != classes_) {
        return Break(verdict, absl::StrCat(prediction.log_probabilities_size(),
                                           " log-probabilities for an image, and the model has ",
                                           classes_, " classes"));
      }
      if (prediction.class_index() < 0 || prediction.class_index() >= classes_) {
        return Break(verdict, absl::StrCat("class ", prediction.class_index(),
                                           " is not within 0 to ", classes_ - 1));
      }
    }
    verdict.images = images_;
    verdict.queue = FromProto(response_->timing().queue_duration());
    verdict.compute = FromProto(response_->timing().compute_duration());
    verdict.batch_size = response_->timing().batch_size();
  }

  void Compare(std::size_t index, Verdict& verdict) override {
    if (labels_->empty()) return;
    std::size_t image = index * images_;
    for (const v1::Prediction& prediction : response_->predictions()) {
      if (prediction.class_index() != (*labels_)[image++ % labels_->size()]) ++verdict.wrong;
    }
  }

 private:
  // A little more memory than the messages need. A message that does not fit is allocated on the
  // heap.
  static constexpr std::size_t kBytesPerAnswer = 2048;
  static constexpr std::size_t kBytesPerPrediction = 256;

  static bool Parse(const grpc::ByteBuffer& answer, google::protobuf::MessageLite& message) {
    // A response is in one slice unless it is long.
    grpc::Slice bytes;
    return (answer.TrySingleSlice(&bytes).ok() || answer.DumpToSingleSlice(&bytes).ok()) &&
           message.ParseFromArray(bytes.begin(), static_cast<int>(bytes.size()));
  }

  static void Break(Verdict& verdict, const std::string& how) {
    verdict.code = grpc::StatusCode::INTERNAL;
    verdict.message = "the server's response breaks the protocol: " + how;
  }

  const bool streaming_;
  const int images_;
  const int classes_;
  const std::vector<int>* const labels_;
  // Holds the last response, so that the same memory is used again.
  std::vector<char> memory_;
  google::protobuf::Arena arena_;
  const v1::ClassifyResponse* response_ = nullptr;
};

class Classify : public Protocol {
 public:
  Classify(const Images& images, const ClassifyOptions& options)
      : options_(options),
        method_(options.streaming ? "/hellocnn.v1.ClassifierService/ClassifyStream"
                                  : "/hellocnn.v1.ClassifierService/Classify"),
        labels_(images.labels) {
    const std::size_t each = options.images_per_request;
    const std::size_t count = (images.images.size() + each - 1) / each;
    for (std::size_t i = 0; i < count; ++i) {
      requests_.emplace_back(Serialise(images, i * each));
    }
  }

  const std::string& method() const override { return method_; }
  bool streaming() const override { return options_.streaming; }
  std::size_t requests() const override { return requests_.size(); }
  int images_per_request() const override { return options_.images_per_request; }
  bool has_labels() const override { return !labels_.empty(); }

  grpc::ByteBuffer Request(std::size_t index, std::uint64_t id) const override {
    if (!options_.streaming) return grpc::ByteBuffer(&requests_[index], 1);
    // A message is a sequence of fields in any order, so the id can follow the prepared bytes.
    constexpr char kIdTag = v1::ClassifyStreamRequest::kIdFieldNumber << 3;
    char field[11];
    std::size_t size = 0;
    field[size++] = kIdTag;
    for (; id >= 0x80; id >>= 7) field[size++] = static_cast<char>(id | 0x80);
    field[size++] = static_cast<char>(id);
    const grpc::Slice parts[2] = {requests_[index], grpc::Slice(field, size)};
    return grpc::ByteBuffer(parts, 2);
  }

  std::unique_ptr<Judge> NewJudge() const override {
    return std::make_unique<ClassifyJudge>(options_, &labels_);
  }

 private:
  v1::Priority priority() const {
    return options_.low_priority ? v1::PRIORITY_LOW : v1::PRIORITY_UNSPECIFIED;
  }
  template <typename Request>
  void SetModel(Request& request) const {
    if (options_.model.empty()) return;
    request.mutable_model()->set_name(options_.model.name);
    request.mutable_model()->set_version(options_.model.version);
  }
  std::string Serialise(const Images& images, std::size_t first) const {
    if (!options_.streaming) {
      v1::ClassifyRequest request;
      request.set_priority(priority());
      SetModel(request);
      AddImages(images, first, options_.images_per_request, *request.mutable_images());
      return request.SerializeAsString();
    }
    v1::ClassifyStreamRequest request;
    request.set_priority(priority());
    SetModel(request);
    AddImages(images, first, options_.images_per_request, *request.mutable_images());
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(options_.timeout);
    request.mutable_timeout()->set_seconds(seconds.count());
    request.mutable_timeout()->set_nanos(static_cast<int>((options_.timeout - seconds).count()));
    return request.SerializeAsString();
  }

  const ClassifyOptions options_;
  const std::string method_;
  const std::vector<int> labels_;
  std::vector<grpc::Slice> requests_;
};

}  // namespace

std::unique_ptr<Protocol> ClassifyProtocol(const Images& images, const ClassifyOptions& options) {
  return std::make_unique<Classify>(images, options);
}

}  // namespace hellocnn::load
