#include "base/cpu_quota.h"

#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace hellocnn {
namespace {

namespace fs = std::filesystem;

// A root with a process and its cgroups.
class CpuQuotaTest : public ::testing::Test {
 protected:
  CpuQuotaTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(::testing::TempDir()) / (std::string("cpu_quota_") + test->name());
    fs::remove_all(root_);
  }
  ~CpuQuotaTest() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  fs::path root_;
};

TEST_F(CpuQuotaTest, WithoutCgroupsTheAffinityDecides) {
  EXPECT_EQ(GrantedCpus(root_, 6), 6);
  EXPECT_EQ(GrantedCpus(root_, 0), 1);
}

TEST_F(CpuQuotaTest, QuotaOfVersion2IsRoundedUp) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.max", "250000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_, 16), 2.5);
  EXPECT_EQ(GrantedCpus(root_, 16), 3);
  EXPECT_EQ(GrantedCpus(root_, 2), 2);
}

TEST_F(CpuQuotaTest, LessThanOneCpuIsOneThread) {
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.max", "10000 100000\n");
  EXPECT_DOUBLE_EQ(CpuQuota(root_, 16), 0.1);
  EXPECT_EQ(GrantedCpus(root_, 16), 1);
}

TEST_F(CpuQuotaTest, TightestQuotaOnTheWayUpDecides) {
  Write("proc/self/cgroup", "0::/pod/container\n");
  Write("sys/fs/cgroup/pod/container/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/pod/cpu.max", "400000 100000\n");
  EXPECT_EQ(GrantedCpus(root_, 16), 4);
  Write("sys/fs/cgroup/pod/container/cpu.max", "200000 100000\n");
  EXPECT_EQ(GrantedCpus(root_, 16), 2);
}

TEST_F(CpuQuotaTest, PathOfTheHostFallsBackToTheMount) {
  Write("proc/self/cgroup", "0::/kubepods/unknown/here\n");
  Write("sys/fs/cgroup/cpu.max", "100000 50000\n");
  EXPECT_EQ(GrantedCpus(root_, 16), 2);
}

TEST_F(CpuQuotaTest, PathOutsideTheNamespaceIsNotFollowed) {
  Write("proc/self/cgroup", "0::/../other\n");
  Write("sys/fs/cgroup/cpu.max", "300000 100000\n");
  Write("sys/fs/other/cpu.max", "100000 100000\n");
  EXPECT_EQ(GrantedCpus(root_, 16), 3);
}

TEST_F(CpuQuotaTest, QuotaOfVersion1) {
  Write("proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(GrantedCpus(root_, 16), 16);
  Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "150000\n");
  Write("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(GrantedCpus(root_, 16), 2);
}

TEST_F(CpuQuotaTest, WhatCannotBeReadIsNoQuota) {
  Write("proc/self/cgroup", "nonsense\n0::/\n");
  Write("sys/fs/cgroup/cpu.max", "lots of\n");
  EXPECT_EQ(GrantedCpus(root_, 5), 5);
}

TEST_F(CpuQuotaTest, ThisProcessHasAtLeastOneCpu) { EXPECT_GE(GrantedCpus(), 1); }

}  // namespace
}  // namespace hellocnn
