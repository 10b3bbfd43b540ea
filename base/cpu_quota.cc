#include "base/cpu_quota.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <thread>

namespace hellocnn {
namespace {

namespace fs = std::filesystem;

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

// What quota and period, in microseconds, grant. "max" (v2) and -1 (v1) stand for no quota.
double Cpus(const std::string& quota, double period) {
  char* end = nullptr;
  const double microseconds = std::strtod(quota.c_str(), &end);
  const bool number = !quota.empty() && *end == '\0';
  return number && microseconds > 0 && period > 0 ? microseconds / period : kNoQuota;
}

double QuotaV2(const fs::path& folder) {
  std::string quota;
  double period = 0;
  std::ifstream(folder / "cpu.max") >> quota >> period;
  return Cpus(quota, period);
}

double QuotaV1(const fs::path& folder) {
  std::string quota;
  double period = 0;
  std::ifstream(folder / "cpu.cfs_quota_us") >> quota;
  std::ifstream(folder / "cpu.cfs_period_us") >> period;
  return Cpus(quota, period);
}

// The tightest of `cgroup` under `mount` and of those above it. In a container the path may be the
// host's, of which only the mount itself is there: what does not exist has no quota.
template <typename Quota>
double Tightest(const fs::path& mount, const std::string& cgroup, Quota quota) {
  double tightest = quota(mount);
  // "/../x" is a cgroup beside this namespace's root: not below the mount.
  if (cgroup.find("..") != std::string::npos) return tightest;
  fs::path folder = mount;
  for (const fs::path& part : fs::path(cgroup).relative_path()) {
    folder /= part;
    tightest = std::min(tightest, quota(folder));
  }
  return tightest;
}

bool Lists(const std::string& controllers, const std::string& name) {
  return ("," + controllers + ",").find("," + name + ",") != std::string::npos;
}

}  // namespace

double CpuQuota(const fs::path& root, int affinity) {
  const fs::path mounts = root / "sys/fs/cgroup";
  double cpus = std::max(1, affinity);
  std::ifstream cgroups(root / "proc/self/cgroup");
  std::string line;  // id ":" controllers ":" path
  while (std::getline(cgroups, line)) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) {
      cpus = std::min(cpus, Tightest(mounts, path, QuotaV2));
      cpus = std::min(cpus, Tightest(mounts / "unified", path, QuotaV2));
    } else if (Lists(controllers, "cpu")) {
      cpus = std::min(cpus, Tightest(mounts / controllers, path, QuotaV1));
      cpus = std::min(cpus, Tightest(mounts / "cpu", path, QuotaV1));
    }
  }
  return cpus;
}

double CpuQuota() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // Fails on machines with more CPUs than the set has bits.
  const int affinity = sched_getaffinity(0, sizeof(set), &set) == 0
                           ? CPU_COUNT(&set)
                           : static_cast<int>(std::thread::hardware_concurrency());
  return CpuQuota("/", affinity);
}

int GrantedCpus(const fs::path& root, int affinity) {
  return static_cast<int>(std::ceil(CpuQuota(root, affinity)));
}

int GrantedCpus() { return static_cast<int>(std::ceil(CpuQuota())); }

}  // namespace hellocnn
