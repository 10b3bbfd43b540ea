// Signed tokens: a JSON Web Token (RFC 7519) whose signature (RFC 7515) one of a set of keys (RFC
// 7517) has made.
#ifndef HELLOCNN_SERVER_ACCESS_JSON_WEB_KEYS_H_
#define HELLOCNN_SERVER_ACCESS_JSON_WEB_KEYS_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::server {

// What a token says, if its signature is right.
struct TokenClaims {
  std::string issuer;                 // iss, or nothing
  std::string subject;                // sub, or nothing
  std::vector<std::string> audience;  // aud
  std::string id;                     // jti, or nothing
  absl::Time expires;                 // exp
  absl::Time not_before;              // nbf, or InfinitePast
};

// The public keys that an issuer signs with. Immutable and thread-safe.
class JsonWebKeys {
 public:
  // Reads a JSON Web Key Set. Keys for encryption are left out. INVALID_ARGUMENT: the text is none,
  // or has no key, more than 64, an RSA key of fewer than 2,048 bits, a symmetric key, which would
  // have to be secret, or a private one. The message continues a sentence whose subject is the
  // text.
  static absl::StatusOr<JsonWebKeys> Parse(std::string_view text);
  JsonWebKeys();  // no keys
  JsonWebKeys(JsonWebKeys&&) noexcept;
  JsonWebKeys& operator=(JsonWebKeys&&) noexcept;
  ~JsonWebKeys();

  // Returns the claims of a token that one of the keys has signed. Does not look at what they say.
  // UNAUTHENTICATED: it is no such token, or it is signed in another way than RS256, RS384, RS512,
  // PS256, PS384, PS512, ES256, ES384 or ES512, or by another key, or it does not expire. A token
  // without the id of its key (kid) is tried with four keys that fit. Takes up to about a
  // millisecond.
  absl::StatusOr<TokenClaims> Verify(std::string_view token) const;

 private:
  struct Key;

  std::vector<Key> keys_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_ACCESS_JSON_WEB_KEYS_H_
