// Classifies handwritten digits in the three ways that the client library has, and prints how many
// results were right:
//
//   classify_digits 127.0.0.1:8500 data/mnist-test 1000
//
// Everything here comes from the installed headers of HelloCNN, the standard library, Abseil and
// zlib.
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <future>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "hellocnn/client/batching_client.h"
#include "hellocnn/client/client.h"

namespace {

using hellocnn::client::BatchingClient;
using hellocnn::client::CallReport;
using hellocnn::client::ClassifyResult;
using hellocnn::client::Client;
using hellocnn::client::Image;
using hellocnn::client::RetryOptions;

constexpr int kRows = 28;     // rows of an MNIST digit, and also its columns
constexpr int kPadding = 2;   // black pixels on each side, which make 32 rows
constexpr int kThreads = 16;  // threads with one digit each
constexpr std::size_t kTogether = 50;
// Few enough that their images fit into the queue of a server, which rejects what does not.
constexpr std::size_t kCallsInFlight = 8;

struct Digit {
  Image image;
  int label;
};

// Returns the bytes of a gzipped file after its header, at most `count`.
std::vector<std::uint8_t> Read(const std::string& path, int header, std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return {};
  const bool seeked = gzseek(file, header, SEEK_SET) == header;
  const int read = seeked ? gzread(file, bytes.data(), static_cast<unsigned>(count)) : 0;
  gzclose(file);
  bytes.resize(std::max(read, 0));
  return bytes;
}

std::vector<Digit> LoadDigits(const std::string& folder, std::size_t count) {
  const std::vector<std::uint8_t> labels = Read(folder + "/t10k-labels-idx1-ubyte.gz", 8, count);
  const std::vector<std::uint8_t> pixels =
      Read(folder + "/t10k-images-idx3-ubyte.gz", 16, count * kRows * kRows);
  std::vector<Digit> digits;
  for (std::size_t i = 0; i < labels.size() && (i + 1) * kRows * kRows <= pixels.size(); ++i) {
    std::vector<std::uint8_t> padded(hellocnn::client::kImagePixels);
    for (int row = 0; row < kRows; ++row) {
      std::copy_n(pixels.begin() + static_cast<int>(i) * kRows * kRows + row * kRows, kRows,
                  padded.begin() + (row + kPadding) * hellocnn::client::kImageSide + kPadding);
    }
    absl::StatusOr<Image> image = Image::Gray8(padded);
    if (image.ok()) digits.push_back({*std::move(image), labels[i]});
  }
  return digits;
}

bool IsRight(const absl::StatusOr<ClassifyResult>& answer, const Digit& digit) {
  if (answer.ok()) return answer->predictions[0].class_index == digit.label;
  std::cerr << answer.status() << "\n";
  return false;
}

// Returns how many of the digits from `first` on were classified right.
int CountRight(const absl::StatusOr<ClassifyResult>& answer, const std::vector<Digit>& digits,
               std::size_t first) {
  if (!answer.ok()) {
    std::cerr << answer.status() << "\n";
    return 0;
  }
  int right = 0;
  for (std::size_t i = 0; i < answer->predictions.size(); ++i)
    right += answer->predictions[i].class_index == digits[first + i].label;
  return right;
}

// Sends many images in each call, and several calls at a time, without threads of its own. This is
// the fastest way.
int Asynchronously(const Client& client, const std::vector<Digit>& digits) {
  struct Call {
    std::size_t first;  // the place of its first digit
    std::future<absl::StatusOr<ClassifyResult>> answer;
  };
  std::deque<Call> in_flight;
  int right = 0;
  const auto finish_one = [&] {
    right += CountRight(in_flight.front().answer.get(), digits, in_flight.front().first);
    in_flight.pop_front();
  };
  for (std::size_t first = 0; first < digits.size(); first += kTogether) {
    if (in_flight.size() == kCallsInFlight) finish_one();
    std::vector<Image> images;
    for (std::size_t i = first; i < std::min(first + kTogether, digits.size()); ++i)
      images.push_back(digits[i].image);
    in_flight.push_back({first, client.ClassifyFuture(images, {.timeout = absl::Seconds(30)})});
  }
  while (!in_flight.empty()) finish_one();
  return right;
}

// Uses threads with one image each, as in a web server. The library combines their images into
// calls.
int MicroBatched(BatchingClient& batching, const std::vector<Digit>& digits) {
  std::atomic<std::size_t> next = 0;
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < digits.size(); i = next++)
        right += IsRight(batching.Classify(digits[i].image), digits[i]) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || std::atoi(argv[3]) < 1) {
    std::cerr << "usage: classify_digits HOST:PORT FOLDER COUNT\n";
    return 2;
  }
  const std::vector<Digit> digits = LoadDigits(argv[2], std::atoi(argv[3]));
  if (digits.empty()) {
    std::cerr << "no MNIST test digits in " << argv[2] << "\n";
    return 1;
  }

  std::atomic<int> calls = 0;
  const absl::StatusOr<Client> client = Client::Create({
      .target = argv[1],
      .default_timeout = absl::Seconds(10),
      .connections = 2,
      // Tries again, a few times, while other clients fill the queue.
      .retry = RetryOptions{.codes = {absl::StatusCode::kUnavailable,
                                      absl::StatusCode::kResourceExhausted}},
      .on_call_end = [&calls](const CallReport& report) { calls += report.decisive ? 1 : 0; },
  });
  if (!client.ok()) {
    std::cerr << client.status() << "\n";
    return 2;
  }
  const absl::StatusOr<ClassifyResult> first = client->Classify({digits[0].image});
  if (!first.ok()) {
    std::cerr << first.status() << "\n";
    return 1;
  }
  std::cout << "the first digit is a " << first->predictions[0].label << ", says "
            << first->model_name << "/" << first->model_version << "\n";

  calls = 0;
  const int asynchronously = Asynchronously(*client, digits);
  std::cout << "asynchronously: " << asynchronously << " of " << digits.size() << " right, in "
            << calls << " calls\n";

  calls = 0;
  int micro_batched = 0;
  {
    absl::StatusOr<BatchingClient> batching = BatchingClient::Create(*client, {});
    if (!batching.ok()) return 2;
    micro_batched = MicroBatched(*batching, digits);
  }
  std::cout << "micro-batched:  " << micro_batched << " of " << digits.size() << " right, in "
            << calls << " calls\n";
  return asynchronously == micro_batched ? 0 : 1;
}
