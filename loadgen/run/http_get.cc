#include "loadgen/run/http_get.h"

#include <httplib.h>

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kLargestPage = 16 << 20;
constexpr int kPatienceSeconds = 5;

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  const std::string scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", url, "' is no URL such as http://127.0.0.1:9464/metrics"));
  }
  const std::size_t path = url.find('/', scheme_end + 3);
  httplib::Client client(url.substr(0, path));
  if (!client.is_valid()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", url, "' is no URL such as http://127.0.0.1:9464/metrics"));
  }
  client.set_connection_timeout(kPatienceSeconds);
  client.set_read_timeout(kPatienceSeconds);
  std::string page;
  const httplib::Result result = client.Get(path == std::string::npos ? "/" : url.substr(path),
                                            [&](const char* piece, std::size_t size) {
                                              page.append(piece, size);
                                              return page.size() <= kLargestPage;
                                            });
  if (page.size() > kLargestPage) {
    return absl::UnavailableError(absl::StrCat(url, ": more than 16 MB came"));
  }
  if (!result) {
    return absl::UnavailableError(
        absl::StrCat(url, " cannot be fetched: ", httplib::to_string(result.error())));
  }
  if (result->status != 200) {
    return absl::UnavailableError(
        absl::StrCat(url, " answered with HTTP status ", result->status, "; wanted is 200"));
  }
  return page;
}

}  // namespace hellocnn::load
