#include "base/denormals.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace hellocnn {

void FlushDenormals() {
#if defined(__SSE2__)
  // Results, and operands.
  _MM_SET_FLUSH_ZERO_MODE(_MM_FLUSH_ZERO_ON);
  _MM_SET_DENORMALS_ZERO_MODE(_MM_DENORMALS_ZERO_ON);
#endif
}

}  // namespace hellocnn
