#include "cli/images/gzip.h"

#include <zlib.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::cli {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr int kGzipOnly = 16 + MAX_WBITS;

}  // namespace

bool IsGzip(const std::string& bytes) { return bytes.rfind("\x1f\x8b", 0) == 0; }

absl::StatusOr<std::string> Gunzip(const std::string& name, const std::string& bytes,
                                   std::size_t max_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) {
    return absl::ResourceExhaustedError(absl::StrCat(name, ": there is no memory to unpack it"));
  }
  const absl::Cleanup end = [&stream] { inflateEnd(&stream); };
  // zlib does not write to its input, but declares it const only with ZLIB_CONST, since 1.2.5.2.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string content;
  while (true) {
    const std::size_t before = content.size();
    content.resize(before + std::min(kChunkBytes, max_bytes + 1 - before));
    stream.next_out = reinterpret_cast<Bytef*>(content.data() + before);
    stream.avail_out = static_cast<uInt>(content.size() - before);
    const int code = inflate(&stream, Z_NO_FLUSH);
    content.resize(content.size() - stream.avail_out);
    if (content.size() > max_bytes) {
      return absl::InvalidArgumentError(absl::StrCat(name, ": it holds more than ", max_bytes,
                                                     " bytes unpacked, which is the limit"));
    }
    if (code == Z_STREAM_END) {
      // Behaves as gunzip does: another gzip file may follow, and anything else is ignored.
      const std::string rest(reinterpret_cast<const char*>(stream.next_in),
                             std::min<std::size_t>(stream.avail_in, 2));
      if (!IsGzip(rest)) return content;
      inflateReset(&stream);
    } else if (code != Z_OK) {
      const std::string reason = code == Z_BUF_ERROR     ? "it is cut off"
                                 : stream.msg != nullptr ? stream.msg
                                                         : zError(code);
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": it cannot be unpacked after ", content.size(), " bytes of content: ", reason));
    }
  }
}

}  // namespace hellocnn::cli
