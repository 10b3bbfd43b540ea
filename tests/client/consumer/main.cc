// Prepares a picture, and calls a server that does not exist. Succeeds if the error is UNAVAILABLE.
#include <iostream>
#include <vector>

#include "hellocnn/client/client.h"
#include "hellocnn/client/picture.h"

int main() {
  const auto client = hellocnn::client::Client::Create({.target = "127.0.0.1:1"});
  const auto image =
      hellocnn::client::Image::Gray8(std::vector<std::uint8_t>(hellocnn::client::kImagePixels));
  if (!client.ok() || !image.ok()) return 2;
  const auto picture = hellocnn::client::DecodePicture("a picture", "P1 2 1 01");
  if (!picture.ok() || !hellocnn::client::Prepare(*picture, {}).ok()) return 3;
  const auto answer = client->Classify({*image});
  std::cout << answer.status().ToString() << "\n";
  return absl::IsUnavailable(answer.status()) ? 0 : 1;
}
