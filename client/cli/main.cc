#include <iostream>

#include "client/cli/app.h"

int main(int argc, char** argv) {
  // Written piece by piece, and read by people and by pipes: either way whole lines at the end are
  // what counts.
  std::ios::sync_with_stdio(false);
  return hellocnn::cli::Main(argc, argv);
}
