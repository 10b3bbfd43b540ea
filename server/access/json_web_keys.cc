#include "server/access/json_web_keys.h"

#include <cjose/cjose.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "hellocnn/strict_json.h"

namespace hellocnn::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostKeys = 64;
constexpr int kMostTries = 4;
constexpr std::size_t kLeastRsaBits = 2048;
constexpr int kMostKeySetDepth = 4;
// Further away no clock is set. It keeps sums with durations finite.
constexpr double kLastSecond = 253402300800.0;  // the year 10000

struct FreeSignature {
  void operator()(cjose_jws_t* signature) const { cjose_jws_release(signature); }
};
struct FreeText {
  void operator()(char* text) const { cjose_get_dealloc()(text); }
};

// Algorithms with public keys, and the type of key that each takes.
struct Algorithm {
  std::string_view name;
  std::string_view key_type;
};
constexpr std::array<Algorithm, 9> kAlgorithms = {{{"RS256", "RSA"},
                                                   {"RS384", "RSA"},
                                                   {"RS512", "RSA"},
                                                   {"PS256", "RSA"},
                                                   {"PS384", "RSA"},
                                                   {"PS512", "RSA"},
                                                   {"ES256", "EC"},
                                                   {"ES384", "EC"},
                                                   {"ES512", "EC"}}};

// cjose ends the process at text that is not Base64 for URLs (RFC 4648, section 5), without
// padding.
bool IsBase64Url(std::string_view text) {
  return text.size() % 4 != 1 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '_';
         });
}

// Returns true for three parts of Base64 with dots between them.
bool HasFormOfToken(std::string_view token) {
  int parts = 0;
  while (parts < 3) {
    const std::size_t dot = std::min(token.find('.'), token.size());
    ++parts;
    if (dot == 0 || !IsBase64Url(token.substr(0, dot))) return false;
    if (dot == token.size()) return parts == 3;
    token.remove_prefix(dot + 1);
  }
  return false;
}

absl::Status Bad(std::string_view what) {
  return absl::UnauthenticatedError(absl::StrCat("the token ", std::string(what)));
}

// Returns the text of a member; nothing if there is none, or if it is no text.
std::string TextOf(const Json& object, const char* member) {
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Returns the time of a member, which is a number of seconds, or nothing.
std::optional<absl::Time> TimeOf(const Json& object, const char* member) {
  const auto found = object.find(member);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(std::abs(seconds) <= kLastSecond)) return std::nullopt;
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

absl::StatusOr<TokenClaims> ReadClaims(std::string_view text) {
  const absl::StatusOr<Json> json = ParseStrictJson(text, kMostKeySetDepth);
  if (!json.ok()) return Bad("has claims that are no JSON object");
  TokenClaims claims{.issuer = TextOf(*json, "iss"),
                     .subject = TextOf(*json, "sub"),
                     .audience = {},
                     .id = TextOf(*json, "jti"),
                     .expires = absl::InfinitePast(),
                     .not_before = absl::InfinitePast()};
  if (json->contains("aud")) {
    const Json& audience = (*json)["aud"];
    if (audience.is_string()) claims.audience.push_back(audience.get<std::string>());
    for (const Json& one : audience.is_array() ? audience : Json::array()) {
      if (one.is_string()) claims.audience.push_back(one.get<std::string>());
    }
  }
  const std::optional<absl::Time> expires = TimeOf(*json, "exp");
  if (!expires.has_value()) return Bad("does not say when it expires (exp)");
  claims.expires = *expires;
  if (json->contains("nbf")) {
    const std::optional<absl::Time> not_before = TimeOf(*json, "nbf");
    if (!not_before.has_value()) return Bad("has an nbf that is no time");
    claims.not_before = *not_before;
  }
  return claims;
}

}  // namespace

struct JsonWebKeys::Key {
  struct Free {
    void operator()(cjose_jwk_t* held) const { cjose_jwk_release(held); }
  };
  std::string id;         // kid, or nothing
  std::string type;       // "RSA" or "EC"
  std::string algorithm;  // the only one that it may be used with, or nothing
  std::unique_ptr<cjose_jwk_t, Free> key;
};

JsonWebKeys::JsonWebKeys() = default;
JsonWebKeys::JsonWebKeys(JsonWebKeys&&) noexcept = default;
JsonWebKeys& JsonWebKeys::operator=(JsonWebKeys&&) noexcept = default;
JsonWebKeys::~JsonWebKeys() = default;

absl::StatusOr<JsonWebKeys> JsonWebKeys::Parse(std::string_view text) {
  const absl::StatusOr<Json> json = ParseStrictJson(text, kMostKeySetDepth);
  if (!json.ok()) return json.status();
  if (!json->contains("keys") || !(*json)["keys"].is_array()) {
    return absl::InvalidArgumentError(R"(has no list "keys"; wanted a JSON Web Key Set)");
  }
  const Json& listed = (*json)["keys"];
  if (listed.size() > kMostKeys) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", listed.size(), " keys; wanted at most ", kMostKeys));
  }
  JsonWebKeys keys;
  for (std::size_t i = 0; i < listed.size(); ++i) {
    const Json& json_key = listed[i];
    const auto wrong = [i](std::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat("has a bad key: keys[", i, "] ", std::string(what)));
    };
    if (!json_key.is_object()) return wrong("is no object");
    if (TextOf(json_key, "use") == "enc") continue;
    const std::string type = TextOf(json_key, "kty");
    if (type != "RSA" && type != "EC") {
      return wrong(absl::StrCat("has the type \"", Shown(type), "\"; wanted RSA or EC"));
    }
    if (json_key.contains("d")) return wrong("is private (d); wanted the public key alone");
    // Nothing else is given to the library: it would also read private numbers.
    Json numbers = {{"kty", type}};
    if (type == "EC") numbers["crv"] = TextOf(json_key, "crv");
    for (const char* member : type == "EC" ? std::array{"x", "y"} : std::array{"n", "e"}) {
      const std::string number = TextOf(json_key, member);
      if (number.empty() || !IsBase64Url(number)) {
        return wrong(absl::StrCat("cannot be used: ", member, " is missing or no Base64 for URLs"));
      }
      numbers[member] = number;
    }
    const std::string dumped = numbers.dump(-1, ' ', true, Json::error_handler_t::replace);
    cjose_err error{};
    std::unique_ptr<cjose_jwk_t, Key::Free> key(
        cjose_jwk_import(dumped.data(), dumped.size(), &error));
    if (key == nullptr) return wrong("cannot be used: its numbers are missing or wrong");
    if (type == "RSA" && cjose_jwk_get_keysize(key.get(), &error) < kLeastRsaBits) {
      return wrong(absl::StrCat("has ", cjose_jwk_get_keysize(key.get(), &error),
                                " bits; wanted at least ", kLeastRsaBits));
    }
    keys.keys_.push_back({.id = TextOf(json_key, "kid"),
                          .type = type,
                          .algorithm = TextOf(json_key, "alg"),
                          .key = std::move(key)});
  }
  if (keys.keys_.empty()) return absl::InvalidArgumentError("has no key for signatures");
  return keys;
}

absl::StatusOr<TokenClaims> JsonWebKeys::Verify(std::string_view token) const {
  if (!HasFormOfToken(token)) return Bad("is no signed JSON Web Token");
  cjose_err error{};
  const std::unique_ptr<cjose_jws_t, FreeSignature> signature(
      cjose_jws_import(token.data(), token.size(), &error));
  if (signature == nullptr) return Bad("is no signed JSON Web Token");
  cjose_header_t* const header = cjose_jws_get_protected(signature.get());
  const std::unique_ptr<char, FreeText> critical(cjose_header_get_raw(header, "crit", &error));
  // The former has nothing of what is no list or object, and the latter of what is no text.
  if (critical != nullptr || cjose_header_get(header, "crit", &error) != nullptr)
    return Bad("has extensions that must be understood (crit), and are not");
  const char* const name = cjose_header_get(header, CJOSE_HDR_ALG, &error);
  const auto* const algorithm =
      std::find_if(kAlgorithms.begin(), kAlgorithms.end(),
                   [name](const Algorithm& one) { return name != nullptr && one.name == name; });
  if (algorithm == kAlgorithms.end()) return Bad("is signed in a way that is not accepted (alg)");
  const char* const id = cjose_header_get(header, CJOSE_HDR_KID, &error);
  int tries = 0;
  for (const Key& key : keys_) {
    // The token must not choose how a key is used.
    if (key.type != algorithm->key_type ||
        (!key.algorithm.empty() && key.algorithm != algorithm->name) ||
        (id != nullptr && !key.id.empty() && key.id != id)) {
      continue;
    }
    // Whoever does not say which key it is could keep a thread for long.
    if (++tries > kMostTries) break;
    if (!cjose_jws_verify(signature.get(), key.key.get(), &error)) continue;
    std::uint8_t* text = nullptr;
    std::size_t size = 0;
    if (!cjose_jws_get_plaintext(signature.get(), &text, &size, &error)) break;
    return ReadClaims({reinterpret_cast<const char*>(text), size});
  }
  return Bad("is not signed by a key that is known here");
}

}  // namespace hellocnn::server
