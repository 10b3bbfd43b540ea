// The data of a training: which images, how many classes and of what names, and how grey levels are
// normalised. What is not asked for, the data decides.
#ifndef HELLOCNN_TRAIN_TRAINING_DATA_H_
#define HELLOCNN_TRAIN_TRAINING_DATA_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/labelled_images.h"
#include "hellocnn/train/dataset.h"

namespace hellocnn {

struct TrainingDataOptions {
  std::string where;                      // as LoadLabelledImages takes it
  std::vector<std::string> class_labels;  // by class index; empty: the file or the data decides
  std::string labels_file;                // with one label on each line; empty: none
  std::vector<double> normalization;      // mean and standard deviation; empty: of the data
  LoadOptions load;                       // first_label, fit and mending
};

struct TrainingData {
  Dataset all;  // the training part
  std::vector<std::string> class_labels;
  std::vector<std::string> files;  // that were read; empty for folders of pictures
  std::vector<std::string> notes;  // sentences for people
};

// Reads the training part of the data. Without labels of its own, the data has the classes 0 to its
// greatest label, and each must have an image.
//
// Returns the errors of LoadLabelledImages, ReadClassLabels and CheckClassLabels. INVALID_ARGUMENT:
// the images are neither 28x28 nor 32x32, or a class has no image. Blocks on the disk.
absl::StatusOr<TrainingData> LoadTrainingData(const TrainingDataOptions& options);

// Reads the test part, adds its files and notes to `training`, and returns its images. If the data
// has no test part, adds a note that says so, and returns nullopt. Returns the errors of
// LoadLabelledImages. INVALID_ARGUMENT: the images have another size than those for training.
// Blocks on the disk.
absl::StatusOr<std::optional<Dataset>> LoadTestData(const TrainingDataOptions& options,
                                                    TrainingData& training);

// Returns the number of examples to put aside for validation if nobody has said: a tenth of them,
// and at most 5,000.
std::int64_t DefaultValidationSize(std::int64_t examples);

// Returns the normalisation that is asked for, or else the mean and the standard deviation of the
// images without their border, as shares of white and rounded to four digits. INVALID_ARGUMENT: all
// pixels are the same.
absl::StatusOr<Normalization> ChooseNormalization(const TrainingDataOptions& options,
                                                  const Dataset& training);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TRAINING_DATA_H_
