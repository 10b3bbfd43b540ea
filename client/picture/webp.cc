// Decodes WebP with libwebp.
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/picture/builder.h"
#include "client/picture/decoders.h"

namespace hellocnn::client::picture {
namespace {

const char* Describe(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
      return "there is not enough memory for it";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it uses a feature that libwebp does not know";
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return "the file ends early";
    default:
      return "its bytes make no picture";
  }
}

int Orientation(const WebPData& data) {
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> demuxer(WebPDemux(&data),
                                                                         &WebPDemuxDelete);
  if (demuxer == nullptr) return 1;
  WebPChunkIterator chunk;
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer.get(), "EXIF", 1, &chunk) != 0) {
    orientation =
        ExifOrientation({reinterpret_cast<const char*>(chunk.chunk.bytes), chunk.chunk.size});
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  return orientation;
}

}  // namespace

bool IsWebp(std::string_view bytes) {
  return bytes.substr(0, 4) == "RIFF" && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP";
}

absl::StatusOr<Picture> DecodeWebp(const std::string& name, std::string_view bytes,
                                   std::int64_t max_pixels) {
  const WebPData data{reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
  const auto broken = [&](VP8StatusCode code) {
    return Broken(name, absl::StrCat("the WebP picture is damaged: ", Describe(code)));
  };
  WebPDecoderConfig config;
  WebPInitDecoderConfig(&config);
  if (const VP8StatusCode code = WebPGetFeatures(data.bytes, data.size, &config.input);
      code != VP8_STATUS_OK) {
    return broken(code);
  }
  // libwebp decodes a picture as a whole.
  absl::Status fits = CheckSize(name, config.input.width, config.input.height,
                                std::min(max_pixels, kMaxWholePixels));
  if (!fits.ok()) return fits;
  if (config.input.has_animation != 0) {
    return absl::UnimplementedError(absl::StrCat(
        name, ": this is an animated WebP picture, which is not read; take one frame: ",
        "webpmux -get frame 1 IN -o OUT.webp"));
  }
  const int longer = std::max(config.input.width, config.input.height);
  const double scale = std::max(1.0, static_cast<double>(longer) / kMaxPictureSide);
  const auto reduced = [&](int side) {
    return std::max(1, static_cast<int>(std::lround(side / scale)));
  };
  const int width = reduced(config.input.width);
  const int height = reduced(config.input.height);
  std::vector<std::uint8_t> pixels(std::size_t(width) * height * 4);
  config.options.use_scaling = scale > 1 ? 1 : 0;
  config.options.scaled_width = width;
  config.options.scaled_height = height;
  config.output.colorspace = MODE_RGBA;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixels.data(), width * 4, pixels.size()};
  const VP8StatusCode code = WebPDecode(data.bytes, data.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (code != VP8_STATUS_OK) return broken(code);

  PictureBuilder builder(width, height, scale, false);
  std::vector<std::uint16_t> row(std::size_t(width) * 4);
  for (int y = 0; y < height; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i)
      row[i] = static_cast<std::uint16_t>(pixels[std::size_t(y) * row.size() + i] * 257);
    builder.AddRow(row.data());
  }
  return std::move(builder).Finish(Orientation(data));
}

}  // namespace hellocnn::client::picture
