#include "client/token.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/address.h"
#include "base/file.h"
#include "client/target.h"

namespace hellocnn::client {
namespace {

std::shared_ptr<const std::string> BearerOf(absl::string_view token) {
  return std::make_shared<const std::string>(absl::StrCat("Bearer ", token));
}

// Returns INVALID_ARGUMENT if the token would be sent over a network without encryption.
absl::Status CheckEncrypted(const ClientOptions& options) {
  if (options.tls.has_value() || options.token->allow_plaintext) return absl::OkStatus();
  const absl::StatusOr<std::vector<HostPort>> addresses = ParseTarget(options.target);
  if (!addresses.ok()) return addresses.status();
  // A Unix socket has no addresses.
  if (std::all_of(addresses->begin(), addresses->end(),
                  [](const HostPort& address) { return IsThisMachine(address.host); })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("the token would be sent to ", options.target,
                   " without encryption: use --tls (ClientOptions::tls), or, if the network is "
                   "trusted, --allow-plaintext-token (TokenOptions::allow_plaintext)"));
}

}  // namespace

absl::Status CheckToken(absl::string_view token, absl::string_view name) {
  if (token.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": is empty; wanted a token"));
  }
  if (token.size() > kLongestToken) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": is too long; a token has at most ", kLongestToken, " bytes"));
  }
  const auto bad = std::find_if_not(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (bad == token.end()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": is not a token: byte ", bad - token.begin() + 1,
                   " is a space, the end of a line or no printable ASCII; wanted one line"));
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  // Two more bytes for the end of the line, and one to see that there is too much.
  absl::StatusOr<std::string> bytes = ReadFileStart(path, kLongestToken + 3);
  if (!bytes.ok()) return bytes.status();
  absl::string_view token = *bytes;
  if (absl::ConsumeSuffix(&token, "\n")) absl::ConsumeSuffix(&token, "\r");
  if (absl::Status good = CheckToken(token, path); !good.ok()) return good;
  return std::string(token);
}

bool OthersMayRead(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

absl::StatusOr<std::shared_ptr<TokenSource>> TokenSource::Open(const ClientOptions& options,
                                                               Instant now) {
  if (!options.token.has_value()) return nullptr;
  const TokenOptions& wanted = *options.token;
  if (wanted.file.empty() == wanted.value.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("token has ", wanted.file.empty() ? "neither a file nor a value" : "both",
                     "; wanted a file or a value"));
  }
  if (absl::Status encrypted = CheckEncrypted(options); !encrypted.ok()) return encrypted;
  if (wanted.file.empty()) {
    if (absl::Status good = CheckToken(wanted.value, "token.value"); !good.ok()) return good;
    return std::make_shared<TokenSource>("", wanted.value, now);
  }
  const absl::StatusOr<std::string> token = ReadToken(wanted.file);
  if (!token.ok()) return token.status();
  return std::make_shared<TokenSource>(wanted.file, *token, now);
}

TokenSource::TokenSource(std::string file, absl::string_view token, Instant now)
    : file_(std::move(file)), header_(BearerOf(token)), read_again_(now + kReadInterval) {}

std::shared_ptr<const std::string> TokenSource::Header(Instant now) {
  {
    const MutexLock lock(&mutex_);
    if (file_.empty() || now < read_again_) return header_;
    read_again_ = now + kReadInterval;  // other calls use the former token meanwhile
  }
  const absl::StatusOr<std::string> token = ReadToken(file_);
  const MutexLock lock(&mutex_);
  if (token.ok()) header_ = BearerOf(*token);
  return header_;
}

}  // namespace hellocnn::client
