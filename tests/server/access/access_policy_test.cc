#include "server/access/access_policy.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/testing/files.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr Instant kRead;
const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1);

// The policy of a file with these principals.
absl::StatusOr<std::shared_ptr<AccessPolicy>> PolicyOf(const std::string& principals,
                                                       const AccessPolicy* previous = nullptr) {
  const TemporaryDirectory folder;
  const std::string path = folder.Write("access.json", R"({"principals": {)" + principals + "}}");
  std::vector<std::string> files;
  absl::StatusOr<std::shared_ptr<AccessPolicy>> policy =
      AccessPolicy::Load(path, previous, std::make_shared<UsedTokens>(), kRead, &files);
  EXPECT_THAT(files, ::testing::ElementsAre(path));
  return policy;
}

// As sha256sum prints that of "seven".
constexpr char kShop[] =
    R"("shop": {"token_sha256": "3ba8d02b16fd2a01c1a8ba1a1f036d7ce386ed953696fa57331c2ac48a80b255", "may": "classify", "images_per_day": 5})";

TEST(UsedTokensTest, TokenIsNewOnce) {
  UsedTokens used;
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  EXPECT_TRUE(used.Use("1", now + absl::Minutes(1), now).ok());
  EXPECT_EQ(used.Use("1", now + absl::Minutes(1), now).code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(used.Use("2", now + absl::Minutes(1), now).ok());
}

TEST(UsedTokensTest, MemoryIsBoundedAndNothingIsForgottenTooEarly) {
  UsedTokens used;
  const absl::Time now = absl::UnixEpoch() + absl::Hours(1);
  for (int i = 0; i < 100'000; ++i) {
    const absl::Time expires = now + absl::Seconds(i % 2 == 0 ? 1 : 10);
    ASSERT_TRUE(used.Use(std::to_string(i), expires, now).ok()) << i;
  }
  // While all can still be used again, no other is let in.
  EXPECT_EQ(used.Use("another", now + absl::Minutes(1), now).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(used.Use("1", now + absl::Minutes(1), now).code(), absl::StatusCode::kUnauthenticated);
  const absl::Time later = now + absl::Seconds(2);
  EXPECT_TRUE(used.Use("another", later + absl::Minutes(1), later).ok());
  EXPECT_EQ(used.Use("1", later + absl::Minutes(1), later).code(),
            absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(used.Use("0", later + absl::Minutes(1), later).ok()) << "it had expired";
}

TEST(AccessPolicyTest, TokenIsKnownByItsChecksum) {
  const auto policy = PolicyOf(kShop);
  ASSERT_TRUE(policy.ok()) << policy.status();
  for (const char* good : {"Bearer seven", "bearer seven", "BEARER  seven "}) {
    const auto principal = (*policy)->Authenticate({good, {}}, kNow);
    ASSERT_TRUE(principal.ok()) << good;
    EXPECT_EQ((*principal)->name(), "shop");
  }
  for (const char* bad :
       {"", "seven", "Bearer", "Bearer ", "Bearer Seven", "Bearerseven", "Basic seven"}) {
    EXPECT_EQ((*policy)->Authenticate({bad, {}}, kNow).status().code(),
              absl::StatusCode::kUnauthenticated)
        << bad;
  }
  EXPECT_FALSE((*policy)->Authenticate({}, kNow).ok());
}

TEST(AccessPolicyTest, CertificateIsKnownByItsNamesAndTheirKinds) {
  const auto policy = PolicyOf(
      R"("a": {"certificate_names": ["DNS:Shop.Example", "spiffe://x/shop"], "may": "classify"},
         "anonymous": {"may": "introspect"})");
  ASSERT_TRUE(policy.ok()) << policy.status();
  const auto name = [&](std::vector<std::string> names) {
    return (*(*policy)->Authenticate({std::nullopt, std::move(names)}, kNow))->name();
  };
  EXPECT_EQ(name({"DNS:other.example", "DNS:shop.example"}), "a");
  EXPECT_EQ(name({"URI:spiffe://x/shop"}), "a");
  EXPECT_EQ(name({"URI:shop.example", "DNS:shop.example.org"}), "anonymous");
  EXPECT_EQ(name({}), "anonymous");
  // A token counts more, and a wrong one is an error.
  EXPECT_FALSE((*policy)->Authenticate({"Bearer x", {"DNS:shop.example"}}, kNow).ok());
}

TEST(AccessPolicyTest, BudgetStaysWhenTheFileIsReadAgainUnlessItChanges) {
  const auto first = PolicyOf(kShop);
  ASSERT_TRUE(first.ok());
  const auto budget = [](const AccessPolicy& policy) {
    return (*const_cast<AccessPolicy&>(policy).Authenticate({"Bearer seven", {}}, kNow))->budget();
  };
  const auto second = PolicyOf(kShop, first->get());
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(budget(**first), budget(**second));
  std::string more = kShop;
  more.replace(more.find(": 5"), 3, ": 6");
  const auto third = PolicyOf(more, second->get());
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_NE(budget(**second), budget(**third));
}

TEST(AccessPolicyTest, NoErrorShowsWhatMayBeAToken) {
  for (const char* principals :
       {R"("a": "s3cret")", R"("a": {"token": "s3cret"})",
        R"("a": {"may": "classify", "s": "s3cret"})", R"("a": {"token_sha256": ["s3cret", 1]})",
        R"("a": {"token_sha256": "s3cret"})", R"("a": {"token_sha256": s3cret})",
        R"("a": {"token_sha256": "s3cret\x"})"}) {
    const absl::Status status = PolicyOf(principals).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << principals;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("s3cret"))) << principals;
  }
}

TEST(AccessPolicyTest, ErrorNamesTheMember) {
  const absl::Status status = PolicyOf(R"("a": {"may": "clasify"})").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(R"(access.json: principals.a.may is "clasify"; wanted classify, )"));
}

}  // namespace
}  // namespace hellocnn::server
