#include "loadgen/run/http_get.h"

#include <fcntl.h>
#include <httplib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kLargestPage = 16 << 20;
constexpr int kPatienceSeconds = 5;
constexpr absl::Duration kPatience = absl::Seconds(30);  // for the whole page
// The longest time in which Stopper does not notice that it must stop.
constexpr absl::Duration kStopperNap = absl::Milliseconds(20);

// Shuts the socket of a fetch down once the fetch must stop, which ends all waiting for it.
class Stopper {
 public:
  // `stop` must outlive it.
  explicit Stopper(const std::atomic<bool>& stop)
      : stop_(stop),
        begins_stopped_(stop.load()),
        patience_ends_(Clock::Monotonic()->Now() + kPatienceOnceStopped),
        thread_([this] { Watch(); }) {}
  Stopper(const Stopper&) = delete;
  Stopper& operator=(const Stopper&) = delete;
  ~Stopper() {
    over_.store(true);
    thread_.join();
    if (socket_ >= 0) close(socket_);
  }

  // Tells it which socket the fetch uses from now on.
  void Use(int socket) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    if (socket_ >= 0) close(socket_);
    // A descriptor of its own, whose number nobody else can get when the fetch closes the socket.
    socket_ = fcntl(socket, F_DUPFD_CLOEXEC, 3);
  }

  bool MustStop() const {
    return begins_stopped_ ? Clock::Monotonic()->Now() >= patience_ends_ : stop_.load();
  }

 private:
  void Watch() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (!over_.load()) {
      if (MustStop()) {
        const MutexLock lock(&mutex_);
        if (socket_ >= 0) shutdown(socket_, SHUT_RDWR);
      }
      absl::SleepFor(kStopperNap);
    }
  }

  const std::atomic<bool>& stop_;
  const bool begins_stopped_;
  const Instant patience_ends_;
  std::atomic<bool> over_ = false;
  Mutex mutex_;
  int socket_ ABSL_GUARDED_BY(mutex_) = -1;
  std::thread thread_;  // the last member, since it uses the others
};

std::string InWords(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
      return "no connection; does a server listen there?";
    case httplib::Error::ConnectionTimeout:
      return absl::StrCat("no connection within ", kPatienceSeconds, " s");
    case httplib::Error::Read:
      return absl::StrCat("no whole response: the connection broke, or nothing came for ",
                          kPatienceSeconds, " s");
    case httplib::Error::Write:
      return "the connection broke before the request was sent";
    case httplib::Error::Canceled:
      return absl::StrCat("no whole response within ", absl::FormatDuration(kPatience));
    case httplib::Error::SSLConnection:
      return "no TLS connection; does the server speak plain http?";
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
      return "the server's certificate is not trusted here";
    default:
      return "the server did not respond as HTTP servers do";
  }
}

// Returns what is wrong with HOST, HOST:PORT, [IPV6] or [IPV6]:PORT, or an empty string.
std::string WhyNotAuthority(const std::string& authority) {
  if (authority.find('@') != std::string::npos) return "a name and a password are not supported";
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.find(':', bracket == std::string::npos ? 0 : bracket);
  if (authority.substr(0, colon).empty()) return "the host is missing";
  if (colon == std::string::npos) return "";
  const std::string port = authority.substr(colon + 1);
  int number = 0;
  if (!absl::SimpleAtoi(port, &number) || number < 1 || number > 65535) {
    return absl::StrCat("the port is '", port, "'; wanted is 1 to 65535");
  }
  return "";
}

}  // namespace

absl::StatusOr<std::string> HttpGet(const std::string& url, const std::atomic<bool>& stop) {
  const auto no_url = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", url, "' is no URL such as http://127.0.0.1:9464/metrics: ", why));
  };
  const std::size_t scheme_end = url.find("://");
  const std::string scheme = url.substr(0, scheme_end);
  if (scheme_end == std::string::npos || (scheme != "http" && scheme != "https")) {
    return no_url("it must begin with http:// or https://");
  }
  const std::size_t authority = scheme_end + 3;
  const std::size_t path = std::min(url.find('/', authority), url.size());
  if (std::string why = WhyNotAuthority(url.substr(authority, path - authority)); !why.empty()) {
    return no_url(why);
  }
  httplib::Client client(url.substr(0, path));
  if (!client.is_valid()) return no_url("host and port cannot be read");
  client.set_connection_timeout(kPatienceSeconds);
  client.set_read_timeout(kPatienceSeconds);
  Stopper stopper(stop);
  client.set_socket_options([&stopper](int socket) { stopper.Use(socket); });
  std::string page;
  const Instant until = Clock::Monotonic()->Now() + kPatience;
  const httplib::Result result = client.Get(
      path == url.size() ? "/" : url.substr(path), [&](const char* piece, std::size_t size) {
        page.append(piece, size);
        return page.size() <= kLargestPage && !stopper.MustStop() &&
               Clock::Monotonic()->Now() < until;
      });
  if (stopper.MustStop() && !result) {
    return absl::CancelledError(absl::StrCat("interrupted while fetching ", url));
  }
  if (page.size() > kLargestPage) {
    return absl::UnavailableError(absl::StrCat(url, " cannot be fetched: it is longer than 16 MB"));
  }
  if (!result) {
    return absl::UnavailableError(
        absl::StrCat(url, " cannot be fetched: ", InWords(result.error())));
  }
  if (result->status != 200) {
    return absl::UnavailableError(
        absl::StrCat(url, ": the HTTP status is ", result->status, "; wanted is 200"));
  }
  return page;
}

}  // namespace hellocnn::load
