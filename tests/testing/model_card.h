// A model's card, for tests that need some.
#ifndef HELLOCNN_TESTS_TESTING_MODEL_CARD_H_
#define HELLOCNN_TESTS_TESTING_MODEL_CARD_H_

#include <string>

#include "hellocnn/model_card.h"

namespace hellocnn::testing {

// Of version 1 of "mnist", whose labels are the digits.
inline ModelCard DigitsCard() {
  ModelCard card;
  // Strings and not literals: GCC 12 warns by mistake of a copy of those that overlaps.
  card.name = std::string("mnist");
  card.version = std::string("1");
  for (int i = 0; i < 10; ++i) card.class_labels.push_back(std::to_string(i));
  return card;
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_MODEL_CARD_H_
