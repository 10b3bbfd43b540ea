// Numbers too small to be stored with full precision.
#ifndef HELLOCNN_BASE_DENORMALS_H_
#define HELLOCNN_BASE_DENORMALS_H_

namespace hellocnn {

// From now on this thread's arithmetic takes denormal numbers, of an absolute value below 1.2e-38
// as float, for 0. On x86 each of them costs some 150 cycles: an image full of them 40 times the
// time of another. No prediction changes by more than rounding does. Elsewhere, where they are not
// slow, does nothing.
void FlushDenormals();

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_DENORMALS_H_
