// The only file that compiles stb_image. It compiles only the formats that decode.cc reads, only
// from memory, and with a limit on what a file can make it allocate. Without the limit, some files
// would take up to 4 GiB. One is a PNG chunk of a few bytes that claims to be longer; another is
// pixels that inflate to more than the picture has.
#include <cstddef>
#include <cstdlib>

#include "cli/images/decode.h"

namespace {

// Twice the size of the largest picture that is read, with 4 channels of 16 bits. When stb_image
// needs more room than it guessed, it doubles its buffer.
constexpr std::size_t kMaxAllocation =
    std::size_t{hellocnn::cli::kMaxPixels} * 4 * 2 * 2 + (1 << 20);

void* Reallocate(void* memory, std::size_t size) {
  return size <= kMaxAllocation ? std::realloc(memory, size) : nullptr;
}

}  // namespace

#define STBI_MALLOC(size) Reallocate(nullptr, size)
#define STBI_REALLOC(memory, size) Reallocate(memory, size)
#define STBI_FREE(memory) std::free(memory)
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include "stb/stb_image.h"
