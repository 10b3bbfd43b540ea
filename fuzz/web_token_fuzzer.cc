// The reader of JSON Web Tokens and of sets of keys. No token that it takes may be without a time
// at which it expires.
//
// Input: a byte, "t" for a token or another one for a set of keys, and the text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/check.h"
#include "server/access/json_web_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  // Its private key has signed tokens of the corpus, and was thrown away.
  static const auto* const kKeys =
      new server::JsonWebKeys(server::JsonWebKeys::Parse(
                                  R"({"keys": [{"kty": "EC", "kid": "one", "crv": "P-256",
              "x": "ktBUxt3RrsAeAm92mVGwNSPirHAwEQXTy2TAe0tCuKw",
              "y": "1Bb7GPY4UoxPuSOl8ox55B52UwjPWjBYi51d79VJMCM"}]})")
                                  .value());
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] != 't') {
    const auto keys = server::JsonWebKeys::Parse(text);
    if (!keys.ok()) fuzz::RequireGoodError(keys.status(), "");
    return 0;
  }
  const absl::StatusOr<server::TokenClaims> claims = kKeys->Verify(text);
  if (claims.ok()) {
    fuzz::Require(claims->expires > absl::InfinitePast(), "a token that does not expire");
  } else {
    fuzz::Require(absl::IsUnauthenticated(claims.status()), "another code");
    fuzz::Require(!claims.status().message().empty(), "no message");
  }
  return 0;
}
