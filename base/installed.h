// Where an installed program finds what was installed with it.
#ifndef HELLOCNN_BASE_INSTALLED_H_
#define HELLOCNN_BASE_INSTALLED_H_

#include <string>

namespace hellocnn {

// Returns the path of `name` among the installed data, "…/share/hellocnn/" and `name`, as it lies
// relative to the running program: an installed tree may be moved. The path need not exist, as for
// a program that was built and not installed. Returns "" if the system does not tell where the
// program is. Thread-safe.
std::string InstalledData(const std::string& name);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_INSTALLED_H_
