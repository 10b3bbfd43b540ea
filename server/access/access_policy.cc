#include "server/access/access_policy.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"
#include "hellocnn/strict_json.h"
#include "server/tls/client_names.h"

namespace hellocnn::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr std::size_t kMostTokenBytes = 8192;
constexpr std::size_t kMostNameBytes = 128;
constexpr int kMostDepth = 4;
constexpr double kMostImages = 1e12;
constexpr std::size_t kMostUsedTokens = 100'000;
constexpr std::size_t kMostVerified = 4096;
// Clocks of issuers and servers differ.
constexpr absl::Duration kLeeway = absl::Seconds(30);
constexpr absl::Duration kLongestSingleUse = absl::Seconds(86'430);  // a day and the leeway

// Says what a value is, and not the value: it may be a token by mistake, which must not get into a
// log.
std::string KindOf(const Json& json) {
  return absl::StrCat("a value of the type ", json.type_name());
}

std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

bool IsName(const std::string& text) {
  return !text.empty() && text.size() <= kMostNameBytes &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

absl::Status UsedTokens::Use(const std::string& id, absl::Time expires, absl::Time now) {
  MutexLock lock(&mutex_);
  while (!by_expiry_.empty() && by_expiry_.begin()->first < now) {
    ids_.erase(by_expiry_.begin()->second);
    by_expiry_.erase(by_expiry_.begin());
  }
  if (ids_.contains(id)) return absl::UnauthenticatedError("the token was used before");
  if (ids_.size() >= kMostUsedTokens) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the server remembers ", ids_.size(),
                     " tokens that may be used only once and have not expired, and takes no more"));
  }
  ids_.insert(id);
  by_expiry_.emplace(expires, id);
  return absl::OkStatus();
}

bool AccessPolicy::SameDigest::operator()(const Digest& one, const Digest& other) const {
  return CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

AccessPolicy::Digest AccessPolicy::DigestOf(std::string_view token) {
  Digest digest{};
  EVP_Digest(token.data(), token.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return digest;
}

// Reads a file into a policy. The first thing that is wrong ends it.
class AccessPolicy::Reader {
 public:
  Reader(std::string path, const AccessPolicy* previous, Instant now,
         std::vector<std::string>* files, AccessPolicy* policy)
      : path_(std::move(path)), previous_(previous), now_(now), files_(files), policy_(policy) {}

  absl::Status Read() {
    const absl::StatusOr<Json> json = ReadJson(path_);
    if (!json.ok()) return json.status();
    if (!json->contains("principals") || !(*json)["principals"].is_object()) {
      return Wrong("principals", "not there", "an object with a member for each principal");
    }
    for (const auto& [name, value] : json->items()) {
      absl::Status status = absl::OkStatus();
      if (name == "jwt") {
        status = ReadIssuer(value);
      } else if (name != "principals") {
        status = Wrong(Shown(name), KindOf(value), "only jwt and principals");
      }
      if (!status.ok()) return status;
    }
    for (const auto& [name, value] : (*json)["principals"].items()) {
      if (absl::Status status = ReadPrincipal(name, value); !status.ok()) return status;
    }
    if (policy_->principals_.empty()) {
      return Wrong("principals", "{}", "at least one principal, or nobody could call");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Wrong(const std::string& member, const std::string& found,
                     const std::string& wanted) const {
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(path_), ": ", member, " is ", found, "; wanted ", wanted));
  }

  absl::StatusOr<std::string> ReadWhole(const std::string& path) {
    files_->push_back(path);
    absl::StatusOr<std::string> text = ReadFileStart(path, kMostBytes + 1);
    if (!text.ok()) return text;
    if (text->size() > kMostBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          Printable(path), ": has more than ", kMostBytes, " bytes, the most that is wanted"));
    }
    return text;
  }

  absl::StatusOr<Json> ReadJson(const std::string& path) {
    const absl::StatusOr<std::string> text = ReadWhole(path);
    if (!text.ok()) return text.status();
    if (!text->starts_with('{')) {
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(path), ": does not begin with {; wanted a JSON object"));
    }
    absl::StatusOr<Json> json = ParseStrictJson(*text, kMostDepth);
    if (json.ok()) return json;
    // What the parser has read last may be a secret.
    const absl::string_view why = json.status().message();
    return absl::InvalidArgumentError(
        absl::StrCat(Printable(path), ": ", why.substr(0, why.find("; last read"))));
  }

  absl::Status ReadIssuer(const Json& json) {
    if (!json.is_object()) return Wrong("jwt", KindOf(json), "an object");
    Issuer issuer;
    std::string keys;
    for (const auto& [name, value] : json.items()) {
      const std::string member = absl::StrCat("jwt.", Shown(name));
      if (name == "single_use") {
        if (!value.is_boolean()) return Wrong(member, KindOf(value), "true or false");
        issuer.single_use = value.get<bool>();
        continue;
      }
      std::string* const text = name == "keys"       ? &keys
                                : name == "issuer"   ? &issuer.name
                                : name == "audience" ? &issuer.audience
                                                     : nullptr;
      if (text == nullptr) {
        return Wrong(member, KindOf(value), "only keys, issuer, audience and single_use");
      }
      if (!value.is_string() || value.get<std::string>().empty()) {
        return Wrong(member, KindOf(value), "a text that is not empty");
      }
      *text = value.get<std::string>();
    }
    for (const auto& [name, text] : {std::pair("keys", &keys), std::pair("issuer", &issuer.name),
                                     std::pair("audience", &issuer.audience)}) {
      if (text->empty()) {
        return Wrong(absl::StrCat("jwt.", name), "not there", "keys, issuer and audience");
      }
    }
    if (!keys.starts_with('/')) keys = absl::StrCat(FolderOf(path_), "/", keys);
    const absl::StatusOr<std::string> text = ReadWhole(keys);
    if (!text.ok()) return text.status();
    absl::StatusOr<JsonWebKeys> parsed = JsonWebKeys::Parse(*text);
    if (!parsed.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(Printable(keys), ": ", parsed.status().message()));
    }
    issuer.keys = *std::move(parsed);
    policy_->issuer_ = std::move(issuer);
    return absl::OkStatus();
  }

  // Reads a member that is a list of texts, or one text.
  absl::Status ReadTexts(const std::string& member, const Json& json,
                         std::vector<std::string>* texts) const {
    const Json list = json.is_string() ? Json::array({json}) : json;
    if (!list.is_array() || list.empty()) return Wrong(member, KindOf(json), "a list of texts");
    for (const Json& text : list) {
      if (!text.is_string() || text.get<std::string>().empty()) {
        return Wrong(member, KindOf(json), "a list of texts");
      }
      texts->push_back(text.get<std::string>());
    }
    return absl::OkStatus();
  }

  absl::Status ReadRights(const std::string& member, const Json& json,
                          std::set<Right>* rights) const {
    std::vector<std::string> names;
    if (absl::Status status = ReadTexts(member, json, &names); !status.ok()) return status;
    for (const std::string& name : names) {
      const auto* const found = std::find(kRightNames.begin() + 1, kRightNames.end(), name);
      if (found == kRightNames.end()) {
        return Wrong(member, ShownJson(name), "classify, introspect, admin or observe");
      }
      rights->insert(static_cast<Right>(found - kRightNames.begin()));
    }
    return absl::OkStatus();
  }

  absl::Status ReadImages(const std::string& member, const Json& json,
                          std::optional<double>* images) const {
    if (!json.is_number() || !(json.get<double>() > 0 && json.get<double>() <= kMostImages)) {
      return Wrong(member, json.is_number() ? ShownJson(json) : KindOf(json),
                   "a number above 0, and at most 1e12");
    }
    *images = json.get<double>();
    return absl::OkStatus();
  }

  // Hands the credential of a kind to a principal, unless another has it.
  template <typename Map>
  absl::Status Give(const std::string& member, const std::string& shown,
                    const typename Map::key_type& key, const PrincipalHandle& principal,
                    Map* map) const {
    const auto [entry, added] = map->try_emplace(key, principal);
    if (added) return absl::OkStatus();
    return Wrong(
        member, absl::StrCat("\"", Shown(shown), "\""),
        absl::StrCat("what the principal ", Shown(entry->second->name()), " has not got already"));
  }

  absl::Status ReadPrincipal(const std::string& name, const Json& json) {
    const std::string path = absl::StrCat("principals.", Shown(name));
    if (!IsName(name)) {
      return Wrong("principals", absl::StrCat("an object with \"", Shown(name), "\""),
                   "names of 1 to 128 characters of ASCII without spaces");
    }
    if (!json.is_object()) return Wrong(path, KindOf(json), "an object");
    std::vector<std::string> tokens;
    std::vector<std::string> certificates;
    std::vector<std::string> subjects;
    std::vector<std::string> models;
    std::set<Right> rights;
    Allowance allowance;
    for (const auto& [key, value] : json.items()) {
      const std::string member = absl::StrCat(path, ".", Shown(key));
      absl::Status status = absl::OkStatus();
      if (key == "token_sha256") {
        status = ReadTexts(member, value, &tokens);
      } else if (key == "certificate_names") {
        status = ReadTexts(member, value, &certificates);
      } else if (key == "jwt_subjects") {
        status = ReadTexts(member, value, &subjects);
      } else if (key == "models") {
        status = ReadTexts(member, value, &models);
      } else if (key == "may") {
        status = ReadRights(member, value, &rights);
      } else if (key == "images_per_second") {
        status = ReadImages(member, value, &allowance.images_per_second);
      } else if (key == "burst_images") {
        status = ReadImages(member, value, &allowance.burst_images);
      } else if (key == "images_per_day") {
        status = ReadImages(member, value, &allowance.images_per_day);
      } else {
        status = Wrong(member, KindOf(value),
                       "only token_sha256, certificate_names, jwt_subjects, may, models, "
                       "images_per_second, burst_images and images_per_day");
      }
      if (!status.ok()) return status;
    }
    if (rights.empty()) {
      return Wrong(absl::StrCat(path, ".may"), "not there",
                   "a list of classify, introspect, admin and observe");
    }
    if (allowance.burst_images.has_value() && !allowance.images_per_second.has_value()) {
      return Wrong(absl::StrCat(path, ".images_per_second"), "not there", "it beside burst_images");
    }
    const bool has_credentials = !tokens.empty() || !certificates.empty() || !subjects.empty();
    if (has_credentials == (name == kAnonymous)) {
      return Wrong(path, has_credentials ? "somebody with credentials" : "somebody without any",
                   "token_sha256, certificate_names or jwt_subjects, and none of them only for "
                   "anonymous, who is everybody else");
    }
    if (!subjects.empty() && !policy_->issuer_.has_value()) {
      return Wrong("jwt", "not there", absl::StrCat("it, because ", path, " has jwt_subjects"));
    }
    const auto principal = std::make_shared<const Principal>(
        name, std::move(rights), std::move(models), BudgetOf(name, allowance));
    policy_->principals_.emplace(name, principal);
    if (name == kAnonymous) policy_->anonymous_ = principal;
    return GiveAll(path, tokens, certificates, subjects, principal);
  }

  absl::Status GiveAll(const std::string& path, const std::vector<std::string>& tokens,
                       const std::vector<std::string>& certificates,
                       const std::vector<std::string>& subjects, const PrincipalHandle& principal) {
    for (const std::string& token : tokens) {
      const std::string member = absl::StrCat(path, ".token_sha256");
      Digest digest{};
      std::size_t bytes = 0;
      if (OPENSSL_hexstr2buf_ex(digest.data(), digest.size(), &bytes, token.c_str(), '\0') != 1 ||
          bytes != digest.size()) {
        ERR_clear_error();
        return Wrong(member, absl::StrCat("a text of ", token.size(), " characters"),
                     "64 hexadecimal digits, as sha256sum prints them");
      }
      absl::Status status = Give(member, token, digest, principal, &policy_->by_token_);
      if (!status.ok()) return status;
    }
    for (const std::string& certificate : certificates) {
      const std::string member = absl::StrCat(path, ".certificate_names");
      const absl::StatusOr<std::string> name = CanonicalClientName(certificate);
      if (!name.ok()) {
        return absl::InvalidArgumentError(absl::StrCat(Printable(path_), ": ", member, ": ",
                                                       name.status().message(),
                                                       "; wanted names such as DNS:shop.example"));
      }
      absl::Status status = Give(member, certificate, *name, principal, &policy_->by_certificate_);
      if (!status.ok()) return status;
    }
    for (const std::string& subject : subjects) {
      absl::Status status = Give(absl::StrCat(path, ".jwt_subjects"), subject, subject, principal,
                                 &policy_->by_subject_);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // Whoever has used up an allowance must not get it again because another line has changed.
  std::shared_ptr<Budget> BudgetOf(const std::string& name, const Allowance& allowance) const {
    if (previous_ != nullptr) {
      const auto found = previous_->principals_.find(name);
      if (found != previous_->principals_.end() &&
          found->second->budget()->allowance() == allowance) {
        return found->second->budget();
      }
    }
    return std::make_shared<Budget>(allowance, now_);
  }

  const std::string path_;
  const AccessPolicy* const previous_;
  const Instant now_;
  std::vector<std::string>* const files_;
  AccessPolicy* const policy_;
};

absl::StatusOr<std::shared_ptr<AccessPolicy>> AccessPolicy::Load(const std::string& path,
                                                                 const AccessPolicy* previous,
                                                                 std::shared_ptr<UsedTokens> used,
                                                                 Instant now,
                                                                 std::vector<std::string>* files) {
  std::shared_ptr<AccessPolicy> policy(new AccessPolicy());
  policy->used_ = std::move(used);
  absl::Status status = Reader(path, previous, now, files, policy.get()).Read();
  if (!status.ok()) return status;
  return policy;
}

absl::StatusOr<std::shared_ptr<const Principal>> AccessPolicy::Authenticate(
    const Credentials& credentials, absl::Time now) {
  if (credentials.authorization.has_value()) {
    constexpr std::string_view kScheme = "Bearer ";
    std::string_view token = *credentials.authorization;
    if (!absl::EqualsIgnoreCase(
            absl::string_view(token.data(), std::min(token.size(), kScheme.size())),
            absl::string_view(kScheme.data(), kScheme.size()))) {
      return absl::UnauthenticatedError(
          "the authorization is no bearer token; wanted authorization: Bearer TOKEN");
    }
    token.remove_prefix(kScheme.size());
    while (token.starts_with(' ')) token.remove_prefix(1);
    while (token.ends_with(' ')) token.remove_suffix(1);
    return OfToken(token, now);
  }
  for (const std::string& name : credentials.certificate_names) {
    const auto found = by_certificate_.find(name);
    if (found != by_certificate_.end()) return found->second;
  }
  if (anonymous_ != nullptr) return anonymous_;
  return absl::UnauthenticatedError(
      credentials.certificate_names.empty()
          ? "who calls is not known; wanted a token, as authorization: Bearer TOKEN"
          : "nobody in the server's access file has the certificate of the caller; wanted a token, "
            "as authorization: Bearer TOKEN");
}

absl::StatusOr<AccessPolicy::PrincipalHandle> AccessPolicy::OfToken(std::string_view token,
                                                                    absl::Time now) {
  if (token.size() > kMostTokenBytes) {
    return absl::UnauthenticatedError(
        absl::StrCat("the token has ", token.size(), " bytes; wanted at most ", kMostTokenBytes));
  }
  const Digest digest = DigestOf(token);
  const auto found = by_token_.find(digest);
  if (found != by_token_.end()) return found->second;
  if (issuer_.has_value() && std::count(token.begin(), token.end(), '.') == 2) {
    return OfSignedToken(token, digest, now);
  }
  return absl::UnauthenticatedError("the token is not known here, or no longer");
}

absl::StatusOr<AccessPolicy::PrincipalHandle> AccessPolicy::OfSignedToken(std::string_view token,
                                                                          const Digest& digest,
                                                                          absl::Time now) {
  if (!issuer_->single_use) {
    MutexLock lock(&mutex_);
    const auto known = verified_.find(digest);
    if (known != verified_.end() && now <= known->second.expires) return known->second.principal;
  }
  const absl::StatusOr<TokenClaims> claims = issuer_->keys.Verify(token);
  if (!claims.ok()) return claims.status();
  const auto bad = [](const std::string& what) {
    return absl::UnauthenticatedError(absl::StrCat("the token ", what));
  };
  if (claims->issuer != issuer_->name) return bad("is of another issuer (iss)");
  if (std::find(claims->audience.begin(), claims->audience.end(), issuer_->audience) ==
      claims->audience.end()) {
    return bad("is for another audience (aud)");
  }
  const absl::Time expires = claims->expires + kLeeway;
  if (now > expires)
    return bad(
        absl::StrCat("has expired at ", absl::FormatTime(claims->expires, absl::UTCTimeZone())));
  if (now + kLeeway < claims->not_before) {
    return bad(absl::StrCat("is not valid before ",
                            absl::FormatTime(claims->not_before, absl::UTCTimeZone())));
  }
  const auto principal = by_subject_.find(claims->subject);
  if (principal == by_subject_.end()) return bad("is of a subject that is not known here (sub)");
  if (issuer_->single_use) {
    if (claims->id.empty()) return bad("has no id (jti), and may be used only once");
    if (expires > now + kLongestSingleUse) {
      return bad("expires in more than a day, and may be used only once");
    }
    absl::Status used = used_->Use(claims->id, expires, now);
    if (!used.ok()) return used;
  } else {
    MutexLock lock(&mutex_);
    if (verified_.size() >= kMostVerified) verified_.clear();
    verified_[digest] = {principal->second, expires};
  }
  return principal->second;
}

}  // namespace hellocnn::server
