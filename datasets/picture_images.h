// Reads pictures as images of a data set.
#ifndef HELLOCNN_DATASETS_PICTURE_IMAGES_H_
#define HELLOCNN_DATASETS_PICTURE_IMAGES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/class_folders.h"
#include "hellocnn/client/picture.h"
#include "hellocnn/data/idx.h"

namespace hellocnn {

// Reads the pictures, each of at most 256 MiB, and does `mending` to them. Grey pictures of 28x28
// and 32x32 are taken as they are; others are prepared as MNIST was made, and a note says so. `fit`
// has all of them prepared in one way. The images are 32x32 if a picture of that size was taken as
// it is, and 28x28 otherwise.
//
// INVALID_ARGUMENT, UNIMPLEMENTED, RESOURCE_EXHAUSTED: a picture cannot be decoded, or there is no
// digit in it, or more than one. Other errors are those of ReadFileStart. Messages name the file.
// Blocks on the disk, and for tens of milliseconds for each picture that is prepared.
absl::StatusOr<LabeledImages> ReadPictures(const std::vector<LabelledPicture>& pictures,
                                           std::optional<client::Fit> fit,
                                           const Presentation& mending,
                                           std::vector<std::string>& notes);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_PICTURE_IMAGES_H_
