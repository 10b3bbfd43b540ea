// How many CPUs this process may use.
#ifndef HELLOCNN_SERVER_CPU_QUOTA_H_
#define HELLOCNN_SERVER_CPU_QUOTA_H_

#include <filesystem>

namespace hellocnn::server {

// The smaller of the CPU affinity and the tightest cgroup quota (v2 `cpu.max`, v1
// `cpu.cfs_quota_us`) of this process's cgroup and those above it, rounded up; at least 1. More
// threads than that are throttled together.
int GrantedCpus();

// The same with the file system at `root` and the number of CPUs in the affinity mask, for tests.
int GrantedCpus(const std::filesystem::path& root, int affinity);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_CPU_QUOTA_H_
