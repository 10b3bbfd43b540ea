// A model card for tests.
#ifndef HELLOCNN_TESTS_TESTING_MODEL_CARD_H_
#define HELLOCNN_TESTS_TESTING_MODEL_CARD_H_

#include <string>

#include "hellocnn/model_card.h"

namespace hellocnn::testing {

// Returns the card of version 1 of the model "mnist", whose labels are the digits.
inline ModelCard DigitsCard() {
  ModelCard card;
  // These are strings instead of literals, because for literals GCC 12 gives a false warning about
  // an overlapping copy.
  card.name = std::string("mnist");
  card.version = std::string("1");
  for (int i = 0; i < 10; ++i) card.class_labels.push_back(std::to_string(i));
  return card;
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_MODEL_CARD_H_
