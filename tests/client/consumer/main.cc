// Calls a server that does not exist. Succeeds if the error is UNAVAILABLE.
#include <iostream>
#include <vector>

#include "hellocnn/client/client.h"

int main() {
  const auto client = hellocnn::client::Client::Create({.target = "127.0.0.1:1"});
  const auto image =
      hellocnn::client::Image::Gray8(std::vector<std::uint8_t>(hellocnn::client::kImagePixels));
  if (!client.ok() || !image.ok()) return 2;
  const auto answer = client->Classify({*image});
  std::cout << answer.status().ToString() << "\n";
  return absl::IsUnavailable(answer.status()) ? 0 : 1;
}
