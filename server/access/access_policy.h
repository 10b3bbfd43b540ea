// Who may do what: the content of an access file (docs/access.md).
#ifndef HELLOCNN_SERVER_ACCESS_ACCESS_POLICY_H_
#define HELLOCNN_SERVER_ACCESS_ACCESS_POLICY_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/access/json_web_keys.h"
#include "server/access/principal.h"

namespace hellocnn::server {

// What a caller shows.
struct Credentials {
  // The metadata or header "authorization": "Bearer TOKEN".
  std::optional<std::string_view> authorization;
  // Of the certificate, with their kinds: "DNS:shop.example".
  std::vector<std::string> certificate_names;
};

// The ids of tokens that may be used only once and were used. Thread-safe.
class UsedTokens {
 public:
  // Remembers the token until it expires. UNAUTHENTICATED: it was used before. RESOURCE_EXHAUSTED:
  // 100,000 are remembered.
  absl::Status Use(const std::string& id, absl::Time expires, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  absl::flat_hash_set<std::string> ids_ ABSL_GUARDED_BY(mutex_);
  std::multimap<absl::Time, std::string> by_expiry_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe. Immutable, but for a memory of tokens that were found good.
class AccessPolicy {
 public:
  // Reads the file and the file of keys that it names, which may be relative to its folder. Budgets
  // of principals of `previous`, which may be null, stay as they are if their allowance does.
  // INVALID_ARGUMENT: the message names the file, the member, what was found and what was wanted.
  // Other errors are those of ReadFileStart. Adds the paths that it has looked at to `files`, also
  // if it fails. Blocks on the disk.
  static absl::StatusOr<std::shared_ptr<AccessPolicy>> Load(const std::string& path,
                                                            const AccessPolicy* previous,
                                                            std::shared_ptr<UsedTokens> used,
                                                            Instant now,
                                                            std::vector<std::string>* files);

  // Returns who shows these credentials, or the principal "anonymous" if there are none that are
  // known by it and the file has one. UNAUTHENTICATED: nobody, or the token is not good; the
  // message says why. RESOURCE_EXHAUSTED: that of UsedTokens. `now` is that of the wall clock, by
  // which tokens expire.
  absl::StatusOr<std::shared_ptr<const Principal>> Authenticate(const Credentials& credentials,
                                                                absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Digest = std::array<std::uint8_t, 32>;
  // Takes as long whatever the digests are.
  struct SameDigest {
    bool operator()(const Digest& one, const Digest& other) const;
  };
  template <typename Value>
  using ByDigest = absl::flat_hash_map<Digest, Value, absl::Hash<Digest>, SameDigest>;
  using PrincipalHandle = std::shared_ptr<const Principal>;
  struct Issuer {  // of signed tokens
    JsonWebKeys keys;
    std::string name;
    std::string audience;
    bool single_use = false;
  };
  struct Verified {
    PrincipalHandle principal;
    absl::Time expires;
  };
  class Reader;

  AccessPolicy() = default;

  static Digest DigestOf(std::string_view token);
  absl::StatusOr<PrincipalHandle> OfToken(std::string_view token, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<PrincipalHandle> OfSignedToken(std::string_view token, const Digest& digest,
                                                absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  std::map<std::string, PrincipalHandle> principals_;  // by name
  ByDigest<PrincipalHandle> by_token_;                 // by SHA-256
  absl::flat_hash_map<std::string, PrincipalHandle> by_certificate_;
  absl::flat_hash_map<std::string, PrincipalHandle> by_subject_;
  PrincipalHandle anonymous_;  // or null
  std::optional<Issuer> issuer_;
  std::shared_ptr<UsedTokens> used_;
  Mutex mutex_;
  ByDigest<Verified> verified_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_ACCESS_ACCESS_POLICY_H_
