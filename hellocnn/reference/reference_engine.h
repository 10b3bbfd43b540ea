// The network as the layer table says, in plain loops and double precision: what every other engine
// has to agree with before it may serve.
#ifndef HELLOCNN_REFERENCE_REFERENCE_ENGINE_H_
#define HELLOCNN_REFERENCE_REFERENCE_ENGINE_H_

#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// A factory of engines with these weights that take batches of any size. Several hundred
// microseconds an image: made to be read, not to serve. Engines hold the weights together and
// allocate as they go. Sums are added up in double precision; what a layer hands to the next is
// rounded to float, as in every engine.
EngineFactory ReferenceEngineFactory(const Weights& weights, const Normalization& normalization);

}  // namespace hellocnn

#endif  // HELLOCNN_REFERENCE_REFERENCE_ENGINE_H_
