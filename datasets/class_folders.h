// Folders of pictures: one folder for each class, which has the name of the class.
#ifndef HELLOCNN_DATASETS_CLASS_FOLDERS_H_
#define HELLOCNN_DATASETS_CLASS_FOLDERS_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/data_part.h"

namespace hellocnn {

// The pictures of one class.
struct ClassFolder {
  std::string name;                   // of the class
  std::vector<std::string> pictures;  // paths, by name
};

struct ClassFolders {
  std::vector<ClassFolder> classes;  // in the order of CountsBefore; each has a picture
  std::vector<std::string> notes;    // sentences on what was left out
};

// Finds the folders of classes in `where`, or in the folder in it that is named as `part`: "train"
// and "training", or "test", "testing" and "t10k". Data that has no such folders is not divided,
// and is every part, unless `take_undivided` is false. A picture is a file whose name ends as
// pictures' do; other files are left out, with a note. Hidden files and folders are passed over.
//
// Returns nullopt if `where` is no folder, or has no pictures in folders. NOT_FOUND: it has, but
// not of this part. INVALID_ARGUMENT: a folder of a class is empty or has a folder in it, there are
// more than kMaxClasses, or more than 1,048,576 pictures. Other errors are the system's.
// Thread-safe. Blocks on the disk.
absl::StatusOr<std::optional<ClassFolders>> FindClassFolders(const std::string& where,
                                                             DataPart part, bool take_undivided);

// A picture and the index of its class.
struct LabelledPicture {
  std::string path;
  int label = 0;
};

// Returns the first `limit` of the pictures, or all of them if it is 0. They come by turns, one of
// each class. `labels` are those of all classes, by index. INVALID_ARGUMENT: a folder is not named
// as one of them; the message begins with `where` and lists both.
absl::StatusOr<std::vector<LabelledPicture>> PicturesByTurns(const std::string& where,
                                                             const ClassFolders& folders,
                                                             const std::vector<std::string>& labels,
                                                             std::size_t limit);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_CLASS_FOLDERS_H_
