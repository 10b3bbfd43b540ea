#include "base/listen.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string BindRejection(const std::string& address) {
  const absl::StatusOr<ListeningSocket> listening = Listen(address);
  EXPECT_EQ(listening.status().code(), absl::StatusCode::kUnavailable) << address;
  return std::string(listening.status().message());
}

// Returns true if a connection to the port of ::1 is accepted. Sets `*available` to false if this
// machine has no IPv6.
bool ConnectsByIpv6(int port, bool* available) {
  const int client = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  address.sin6_port = htons(static_cast<std::uint16_t>(port));
  const bool connected = client >= 0 && connect(client, reinterpret_cast<const sockaddr*>(&address),
                                                sizeof(address)) == 0;
  *available = connected || errno == ECONNREFUSED;
  if (client >= 0) close(client);
  return connected;
}

// Binds as gRPC does: for both families if it can, otherwise for IPv4. Returns the family.
int BindAsGrpcDoes(int port, int* bound) {
  const int on = 1;
  const int off = 0;
  *bound = socket(AF_INET6, SOCK_STREAM, 0);
  setsockopt(*bound, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(*bound, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (bind(*bound, reinterpret_cast<const sockaddr*>(&six), sizeof(six)) == 0) return AF_INET6;
  close(*bound);
  *bound = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(*bound, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(static_cast<std::uint16_t>(port));
  return bind(*bound, reinterpret_cast<const sockaddr*>(&four), sizeof(four)) == 0 ? AF_INET : 0;
}

TEST(ListenTest, EachReasonIsNamedWithTheAddress) {
  const absl::StatusOr<ListeningSocket> first = Listen("127.0.0.1:0");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_GT(first->port, 0);
  const std::string taken = absl::StrCat("127.0.0.1:", first->port);
  EXPECT_THAT(BindRejection(taken), AllOf(HasSubstr(taken), HasSubstr("in use")));
  EXPECT_EQ(ResolveToListen(taken).status(), Listen(taken).status());
  close(first->descriptor);
  EXPECT_THAT(BindRejection("192.0.2.1:0"),
              AllOf(HasSubstr("192.0.2.1:0"), HasSubstr("not an address of this machine")));
  EXPECT_THAT(BindRejection("nobody.invalid:0"),
              AllOf(HasSubstr("nobody.invalid:0"), HasSubstr("does not resolve")));
  EXPECT_THAT(BindRejection("nowhere"), HasSubstr("it has no port"));
}

TEST(ListenTest, ANameMeansItsIpv4Address) {
  const absl::StatusOr<HostPort> resolved = ResolveToListen("localhost:0");
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(JoinHostPort(*resolved), "127.0.0.1:0");
  EXPECT_EQ(JoinHostPort(*ResolveToListen("[::]:0")), "[::]:0");
}

TEST(ListenTest, WildcardsMeanTheirFamilies) {
  bool ipv6 = false;
  const absl::StatusOr<ListeningSocket> four = Listen("0.0.0.0:0");
  ASSERT_TRUE(four.ok()) << four.status();
  EXPECT_FALSE(ConnectsByIpv6(four->port, &ipv6));
  close(four->descriptor);
  if (!ipv6) GTEST_SKIP() << "this machine has no IPv6";
  const absl::StatusOr<ListeningSocket> both = Listen("[::]:0");
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_TRUE(ConnectsByIpv6(both->port, &ipv6));
  EXPECT_THAT(BindRejection(absl::StrCat("127.0.0.1:", both->port)), HasSubstr("in use"));
  close(both->descriptor);
}

// Makes socket() fail for IPv6 from now on, as a kernel without IPv6 does.
void ForbidIpv6() {
  std::array<sock_filter, 6> filter = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program = {.len = filter.size(), .filter = filter.data()};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST(ListenDeathTest, WithoutIpv6EveryAddressIsEveryIpv4Address) {
  const auto listen = [] {
    ForbidIpv6();
    for (const std::string address : {"[::]:0", "[0::0]:0"}) {
      const absl::StatusOr<ListeningSocket> listening = Listen(address);
      EXPECT_TRUE(listening.ok() && listening->port > 0) << listening.status();
      const absl::StatusOr<HostPort> resolved = ResolveToListen(address);
      EXPECT_EQ(resolved.ok() ? resolved->host : resolved.status().ToString(), "0.0.0.0");
    }
    EXPECT_THAT(BindRejection("[::1]:0"), HasSubstr("does not have that family"));
    std::exit(::testing::Test::HasFailure() ? 1 : 0);
  };
  EXPECT_EXIT(listen(), ::testing::ExitedWithCode(0), "");
}

TEST(ListenTest, Ipv4OnlyLeavesNothingButIpv4) {
  const Ipv4Only only({"0.0.0.0", 0});
  ASSERT_GT(only.address().port, 0);
  int bound = -1;
  EXPECT_EQ(BindAsGrpcDoes(only.address().port, &bound), AF_INET);
  EXPECT_EQ(listen(bound, 1), 0);
  close(bound);
}

TEST(ListenTest, Ipv4OnlyLeavesOtherAddressesAlone) {
  EXPECT_EQ(Ipv4Only({"127.0.0.1", 0}).address().port, 0);
  EXPECT_EQ(Ipv4Only({"::", 0}).address().port, 0);
}

}  // namespace
}  // namespace hellocnn
