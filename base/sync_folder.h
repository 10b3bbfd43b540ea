// Makes names in a folder durable.
#ifndef HELLOCNN_BASE_SYNC_FOLDER_H_
#define HELLOCNN_BASE_SYNC_FOLDER_H_

#include <string>

namespace hellocnn {

// Waits until the names in `folder` are on the disk; "" is the current folder. Returns 0, or errno.
// Thread-safe.
int SyncFolder(const std::string& folder);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_SYNC_FOLDER_H_
