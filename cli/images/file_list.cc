#include "cli/images/file_list.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/input.h"

namespace hellocnn::cli {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 16;
constexpr std::size_t kMostNameBytes = 4096;
constexpr std::size_t kMostEmptyNames = 4096;
constexpr absl::Duration kLongestPoll = absl::Minutes(1);  // fits into poll's int

}  // namespace

absl::StatusOr<FileList> FileList::Open(const std::string& path) {
  const absl::StatusOr<int> file = OpenInput(path);
  if (!file.ok()) return file.status();
  return FileList(path, *file);
}

FileList::FileList(FileList&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      separator_(other.separator_),
      bytes_(std::move(other.bytes_)),
      at_(other.at_),
      empty_(other.empty_),
      ended_(other.ended_),
      status_(std::move(other.status_)) {}

FileList::~FileList() {
  if (file_ >= 0) close(file_);
}

bool FileList::Ready(absl::Duration patience) {
  const Instant until = Clock::Monotonic()->Now() + patience;
  while (!HasName()) {
    pollfd readable{file_, POLLIN, 0};
    const absl::Duration left =
        std::clamp(until - Clock::Monotonic()->Now(), absl::ZeroDuration(), kLongestPoll);
    const int polled = poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(left)));
    if (polled == 0 && Clock::Monotonic()->Now() >= until) return false;
    if (polled == 0 || (polled < 0 && errno == EINTR)) continue;
    status_ = ReadMore();
  }
  return true;
}

absl::StatusOr<std::optional<std::string>> FileList::Next() {
  while (true) {
    while (!HasName()) status_ = ReadMore();
    if (!status_.ok()) return status_;
    const std::size_t end = std::min(bytes_.find(separator_.value_or('\n'), at_), bytes_.size());
    if (end == bytes_.size() && end == at_) return std::nullopt;
    std::string name = bytes_.substr(at_, end - at_);
    at_ = std::min(end + 1, bytes_.size());
    if (separator_ != '\0') {
      if (name.find('\0') != std::string::npos) return NoList("there is a zero byte in a line");
      // Lists that were written on Windows end their lines with two characters.
      if (name.ends_with('\r')) name.pop_back();
    }
    if (!name.empty()) {
      empty_ = 0;
      return name;
    }
    if (++empty_ > kMostEmptyNames) {
      return NoList(absl::StrCat("it has more than ", kMostEmptyNames, " empty names in a row"));
    }
  }
}

bool FileList::HasName() const {
  return ended_ || !status_.ok() ||
         (separator_.has_value() && bytes_.find(*separator_, at_) != std::string::npos);
}

absl::Status FileList::ReadMore() {
  if (bytes_.size() - at_ > kMostNameBytes) {
    return NoList(absl::StrCat("a name has more than ", kMostNameBytes, " bytes"));
  }
  bytes_.erase(0, at_);
  at_ = 0;
  const std::size_t before = bytes_.size();
  bytes_.resize(before + kChunkBytes);
  const ssize_t got = read(file_, bytes_.data() + before, kChunkBytes);
  const int error = errno;
  bytes_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0 && error != EINTR) return InputError(path_, error);
  ended_ = got == 0;
  if (!separator_.has_value()) {
    for (const char separator : {'\n', '\0'}) {  // zero bytes win
      if (bytes_.find(separator) != std::string::npos) separator_ = separator;
    }
  }
  return absl::OkStatus();
}

absl::Status FileList::NoList(const std::string& why) const {
  return absl::InvalidArgumentError(absl::StrCat(path_, ": this is no list of files: ", why));
}

}  // namespace hellocnn::cli
