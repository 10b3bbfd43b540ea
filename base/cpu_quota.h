// The number of CPUs that this process may use.
#ifndef HELLOCNN_BASE_CPU_QUOTA_H_
#define HELLOCNN_BASE_CPU_QUOTA_H_

#include <filesystem>

namespace hellocnn {

// Returns the smaller of the CPU affinity and the tightest cgroup quota (v2 `cpu.max`, v1
// `cpu.cfs_quota_us`) of this process's cgroup and those above it: 1.5 if it may use three seconds
// of CPU in two. > 0. Reads files.
double CpuQuota();
// Returns the same, rounded up and at least 1. More threads than that are throttled.
int GrantedCpus();

// Returns the same for the file system at `root` and a number of CPUs in the affinity mask.
double CpuQuota(const std::filesystem::path& root, int affinity);
int GrantedCpus(const std::filesystem::path& root, int affinity);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_CPU_QUOTA_H_
