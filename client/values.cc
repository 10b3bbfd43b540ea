#include <bit>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "hellocnn/client/client.h"

namespace hellocnn::client {
namespace {

static_assert(std::endian::native == std::endian::little,
              "float32 pixels are sent as they lie in memory");

absl::Status WrongSize(std::size_t pixels) {
  return absl::InvalidArgumentError(
      absl::StrCat("an image has ", kImagePixels, " pixels (32 rows of 32), not ", pixels));
}

}  // namespace

absl::StatusOr<Image> Image::Gray8(absl::Span<const std::uint8_t> pixels) {
  if (pixels.size() != kImagePixels) return WrongSize(pixels.size());
  return Image(false, std::string(pixels.begin(), pixels.end()));
}

absl::StatusOr<Image> Image::Float32(absl::Span<const float> pixels) {
  if (pixels.size() != kImagePixels) return WrongSize(pixels.size());
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    if (!std::isfinite(pixels[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("pixel ", i, " is ", pixels[i], ", which is not finite"));
    }
  }
  std::string bytes(pixels.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), pixels.data(), bytes.size());
  return Image(true, std::move(bytes));
}

double Prediction::Probability(int index) const {
  return std::exp(double{log_probabilities[index]});
}

std::string ToString(Rollout::Mode mode) {
  switch (mode) {
    case Rollout::Mode::kShadow:
      return "SHADOW";
    case Rollout::Mode::kCanary:
      return "CANARY";
    case Rollout::Mode::kUnknown:
      break;
  }
  return "UNKNOWN";
}

std::string ToString(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "LOADING";
    case ModelState::kServing:
      return "SERVING";
    case ModelState::kDraining:
      return "DRAINING";
    case ModelState::kFailed:
      return "FAILED";
    case ModelState::kStandby:
      return "STANDBY";
    case ModelState::kRolledBack:
      return "ROLLED_BACK";
    case ModelState::kUnknown:
      break;
  }
  return "UNKNOWN";
}

std::string ToString(HealthStatus status) {
  switch (status) {
    case HealthStatus::kServing:
      return "SERVING";
    case HealthStatus::kNotServing:
      return "NOT_SERVING";
    case HealthStatus::kServiceUnknown:
      return "SERVICE_UNKNOWN";
    case HealthStatus::kUnknown:
      break;
  }
  return "UNKNOWN";
}

}  // namespace hellocnn::client
