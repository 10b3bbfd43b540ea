// The teacher: a network that is larger than HelloCNN and more accurate, and is used only to train.
#ifndef HELLOCNN_TRAIN_TEACHER_H_
#define HELLOCNN_TRAIN_TEACHER_H_

#include "absl/status/statusor.h"
#include "hellocnn/train/dataset.h"
#include "hellocnn/train/trainee.h"
#include "hellocnn/train/trainer.h"

namespace hellocnn {

struct Teacher {
  Trainee network;
  RunReport report;
};

// Returns an untrained teacher: LeNet-5's layers with more channels, and one dense layer. Its pools
// have stride 2, so it knows where things are, which the pools of HelloCNN blur. Draws the initial
// weights from LibTorch's default random generator.
Trainee MakeTeacher(int classes);

// Trains a teacher for the network that will be trained with `student`. Takes the epochs, the
// number of classes, the batch size, the weight decay and the seed from there, and settings of its
// own for the rest. Saves its state as "teacher.checkpoint". Blocks, and returns the errors of
// TrainNetwork.
absl::StatusOr<Teacher> TrainTeacher(const RunOptions& student, const Split& data,
                                     const ProgressObserver& observer);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_TEACHER_H_
