// Makes sure that descriptors 0, 1 and 2 are what programs take them for.
#ifndef HELLOCNN_BASE_STANDARD_DESCRIPTORS_H_
#define HELLOCNN_BASE_STANDARD_DESCRIPTORS_H_

namespace hellocnn {

// Opens those of standard input, output and error that are closed, as a supervisor or `>&-` may
// leave them. Without that, the next file or socket gets such a number, and what a program prints
// goes into it. Their uses still fail: standard input can only be written, and the others can only
// be read.
//
// A program with a call of it, which should be the first of main, also makes one before its shared
// libraries begin.
void OpenStandardDescriptors();

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_STANDARD_DESCRIPTORS_H_
