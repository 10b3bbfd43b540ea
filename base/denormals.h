// Numbers too small to be stored with full precision.
#ifndef HELLOCNN_BASE_DENORMALS_H_
#define HELLOCNN_BASE_DENORMALS_H_

namespace hellocnn {

// Lets this thread's arithmetic treat denormal numbers as 0 from now on. As floats, these are below
// 1.2e-38 in absolute value. On x86, each of them costs some 150 cycles, and an image full of them
// takes 40 times as long as another. Predictions change by no more than rounding does. Does nothing
// on other CPUs, where denormal numbers are not slow.
void FlushDenormals();

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_DENORMALS_H_
