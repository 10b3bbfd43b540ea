// The files that a command line means: files, the pictures in folders, and lists of files.
#ifndef HELLOCNN_CLI_IMAGES_PATHS_H_
#define HELLOCNN_CLI_IMAGES_PATHS_H_

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/images/file_list.h"

namespace hellocnn::cli {

// A file to read, or a folder or a list that cannot be read.
struct FoundPath {
  std::string path;
  absl::Status status;  // OK for a file, which may be missing nevertheless; errors name `path`
};

// Yields paths one after another: those that are given, then those of the list. Holds the paths of
// all pictures in the given folder that it has come to, and in the folders in that. Holds of the
// list what FileList does. Thread-compatible.
class Paths {
 public:
  // `given` are files and folders; "-" is standard input. `list` names a file with further paths,
  // as FileList reads it; "-" is standard input, and "" means no list.
  Paths(std::vector<std::string> given, std::string list);

  // Returns true if Next would not wait for the list. Waits for that, at most for `patience`.
  bool Ready(absl::Duration patience);

  // Returns the next path, or nullopt at the end. In folders and in the folders in them, those
  // files count that have the name of a picture and are not hidden. Links to folders are not
  // followed there. A folder that cannot be read, or has no pictures, yields an error after the
  // pictures that were found. A list that cannot be read ends with an error. Blocks on the disk and
  // on the list.
  std::optional<FoundPath> Next();

 private:
  // Opens the list, if it has not been opened.
  absl::StatusOr<FileList>& List();
  // Adds the pictures in `folder` to found_, and the errors that were met.
  void Search(const std::string& folder);

  std::deque<std::string> given_;
  std::deque<FoundPath> found_;  // in the folder that was searched last
  std::string list_name_;        // "" once the list has been read
  std::optional<absl::StatusOr<FileList>> list_;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_PATHS_H_
