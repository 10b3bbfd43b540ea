// Reads labelled images in the forms in which people bring them: IDX files of the MNIST family,
// arrays of NumPy in .npy and .npz files, and folders of pictures, one for each class.
#ifndef HELLOCNN_DATASETS_LABELLED_IMAGES_H_
#define HELLOCNN_DATASETS_LABELLED_IMAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "datasets/data_part.h"
#include "hellocnn/client/picture.h"
#include "hellocnn/data/idx.h"

namespace hellocnn {

struct LoadOptions {
  DataPart part = DataPart::kTest;
  // True: data that is not divided into a training and a test part is taken whole, whatever part is
  // wanted. False: there is no such part in it.
  bool take_undivided = true;
  // The labels of the classes by index, as those of a model. Empty: the data decides.
  std::vector<std::string> class_labels;
  // The label that arrays have for class 0. Unset: EMNIST's mapping file says, or it is 0.
  std::optional<int> first_label;
  // How pictures become images. Unset: grey pictures of 28x28 and 32x32 are taken as they are, and
  // others are prepared as MNIST was made.
  std::optional<client::Fit> fit;
  Presentation mending;    // is done to the images
  std::int64_t limit = 0;  // the first images only; 0: all
};

struct LoadedImages {
  // After mending. Pictures and arrays are 28x28 or 32x32; IDX files may have any size. Labels are
  // indices of classes. There is at least one image.
  LabeledImages images;
  // By class index: those of LoadOptions, or else those that the data names. Empty if neither does.
  std::vector<std::string> class_labels;
  std::vector<std::string> files;  // that were read; empty for folders of pictures
  std::vector<std::string> notes;  // sentences for people: what was converted or left out
  // The data is not divided into a training and a test part, so all of it was taken.
  bool is_undivided = false;
  // The files are named as EMNIST's, which store columns, and LoadOptions did not transpose them.
  bool may_be_transposed = false;
};

// Looks for labelled images in `where`, in this order:
//   IDX files, which FindDatasetFiles finds, with the names of sets that it takes;
//   a .npz file, or .npy and .npz files in a folder, which FindArrays finds;
//   a folder with a folder of pictures for each class, which FindClassFolders finds.
// Reads no image. NOT_FOUND: there are none, or not the part; the message lists what is there.
// INVALID_ARGUMENT: there is more than one set. Thread-safe. Blocks on the disk.
absl::Status FindLabelledImages(const std::string& where, const LoadOptions& options);

// Finds labelled images and reads them. Takes at most about 1 GiB for the pixels, and as much for a
// file while it is read. Pictures of folders come by turns, one of each class.
//
// Labels of arrays and IDX files are numbers; folders are named as the classes. Without
// `class_labels` the folders' names are the labels, in the order of CountsBefore.
//
// Returns the errors of FindLabelledImages, and those of reading. INVALID_ARGUMENT: a file is
// damaged or too large, the images have an unsuitable type or shape, there is not one label for
// each image, a label is no class, a folder is not named as one of `class_labels`, or a picture
// cannot be prepared. Messages name the file, the value found and the value wanted. Thread-safe.
// Blocks on the disk, and for tens of milliseconds for each picture that is prepared.
absl::StatusOr<LoadedImages> LoadLabelledImages(const std::string& where,
                                                const LoadOptions& options);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_LABELLED_IMAGES_H_
