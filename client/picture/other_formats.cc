// Names the formats that are not decoded.
#include <algorithm>
#include <array>
#include <cstddef>

#include "client/picture/decoders.h"

namespace hellocnn::client::picture {
namespace {

using namespace std::string_view_literals;

struct Format {
  std::string_view name;
  std::string_view converter;  // a command, and the Debian package that has it
};

constexpr Format kTiff{"a TIFF picture", "convert 'IN[0]' OUT.png (imagemagick)"};
constexpr Format kHeic{"a HEIC picture", "heif-convert IN OUT.png (libheif-examples)"};
constexpr Format kAvif{"an AVIF picture", "avifdec IN OUT.png (libavif-bin)"};
constexpr Format kJpegXl{"a JPEG XL picture", "djxl IN OUT.png (libjxl-tools)"};
constexpr Format kJpeg2000{"a JPEG 2000 picture",
                           "opj_decompress -i IN -o OUT.png (libopenjp2-tools)"};
constexpr Format kVideo{"a video", "ffmpeg -i IN -frames:v 1 OUT.png (ffmpeg)"};
constexpr Format kSvg{"an SVG drawing", "rsvg-convert -o OUT.png IN (librsvg2-bin)"};

bool Contains(std::string_view text, std::string_view word) {
  return text.find(word) != std::string_view::npos;
}

// A format that begins with a word at a fixed place.
struct Magic {
  std::size_t at;
  std::string_view word;
  Format format;
};

constexpr std::array kMagics = {
    Magic{0, "II*\0"sv, kTiff},
    Magic{0, "MM\0*"sv, kTiff},
    Magic{0, "II+\0"sv, kTiff},
    Magic{0, "MM\0+"sv, kTiff},
    Magic{0,
          "%PDF-"sv,
          {"a PDF document", "pdftoppm -png -r 150 -singlefile IN OUT (poppler-utils)"}},
    Magic{0,
          "%!PS"sv,
          {"a PostScript document", "gs -sDEVICE=png16m -r150 -o OUT.png IN (ghostscript)"}},
    Magic{0, "GIF8"sv, {"a GIF picture", "convert 'IN[0]' OUT.png (imagemagick)"}},
    Magic{0, "\0\0\1\0"sv, {"a Windows icon", "convert 'IN[0]' OUT.png (imagemagick)"}},
    Magic{0, "8BPS"sv, {"a Photoshop picture", "convert 'IN[0]' OUT.png (imagemagick)"}},
    Magic{0, "gimp xcf"sv, {"a GIMP picture", "convert IN -flatten OUT.png (imagemagick)"}},
    Magic{0, "P7\n"sv, {"a PAM picture", "pamtopnm IN >OUT.pnm (netpbm)"}},
    Magic{0, "Pf\n"sv, {"a PFM picture", "pfmtopam IN | pamtopnm >OUT.pnm (netpbm)"}},
    Magic{0, "PF\n"sv, {"a PFM picture", "pfmtopam IN | pamtopnm >OUT.pnm (netpbm)"}},
    Magic{0, "qoif"sv, {"a QOI picture", "ffmpeg -i IN OUT.png (ffmpeg)"}},
    Magic{0, "v/1\1"sv, {"an OpenEXR picture", "convert IN OUT.png (imagemagick)"}},
    Magic{0, "#?RADIANCE"sv, {"a Radiance picture", "convert IN OUT.png (imagemagick)"}},
    Magic{0,
          "AT&TFORM"sv,
          {"a DjVu document", "ddjvu -format=ppm -page=1 IN OUT.ppm (djvulibre-bin)"}},
    Magic{128, "DICM"sv, {"a DICOM picture", "dcmj2pnm --write-png IN OUT.png (dcmtk)"}},
    Magic{0, "\xff\x0a"sv, kJpegXl},
    Magic{0, "\0\0\0\x0cJXL "sv, kJpegXl},
    Magic{0, "\0\0\0\x0cjP  "sv, kJpeg2000},
    Magic{0, "\xff\x4f\xff\x51"sv, kJpeg2000},
    Magic{0, "\x1a\x45\xdf\xa3"sv, kVideo},
    Magic{0,
          "\x93NUMPY"sv,
          {"a NumPy array",
           "python3 -c \"import numpy as n, PIL.Image as i; "
           "i.fromarray(n.load('IN')).save('OUT.png')\" "
           "(python3-pil)"}},
};

// Returns the format of an ISO base media file by its first brand, or nullptr.
const Format* MediaFormat(std::string_view bytes) {
  if (bytes.size() < 12 || bytes.substr(4, 4) != "ftyp") return nullptr;
  const std::string_view brands = bytes.substr(8, 24);
  if (Contains(brands, "avi")) return &kAvif;
  for (const std::string_view brand :
       {"heic"sv, "heix"sv, "heim"sv, "heis"sv, "hevc"sv, "hevx"sv, "mif1"sv, "msf1"sv}) {
    if (Contains(brands, brand)) return &kHeic;
  }
  return &kVideo;
}

// Returns true for a bitmap of Windows or OS/2, whose first two bytes alone may begin any text.
bool IsBmp(std::string_view bytes) {
  return bytes.substr(0, 2) == "BM" && bytes.size() > 26 && bytes.substr(6, 4) == "\0\0\0\0"sv;
}

bool IsSvg(std::string_view bytes) {
  std::string_view start = bytes.substr(0, 4096);
  // Only white space and a byte order mark may precede the first element.
  start.remove_prefix(std::min(start.find_first_not_of("\xef\xbb\xbf \t\r\n"), start.size()));
  const bool is_xml =
      start.starts_with("<svg") || start.starts_with("<?xml") || start.starts_with("<!");
  return is_xml && Contains(start, "<svg");
}

const Format* Recognise(std::string_view bytes) {
  static constexpr Format kBmp{"a BMP picture", "convert IN OUT.png (imagemagick)"};
  for (const Magic& magic : kMagics) {
    if (bytes.size() >= magic.at && bytes.substr(magic.at, magic.word.size()) == magic.word)
      return &magic.format;
  }
  if (const Format* format = MediaFormat(bytes); format != nullptr) return format;
  if (IsBmp(bytes)) return &kBmp;
  if (IsSvg(bytes)) return &kSvg;
  return nullptr;
}

}  // namespace

std::string DescribeOtherFormat(std::string_view bytes) {
  const Format* format = Recognise(bytes);
  if (format == nullptr) return "";
  return "this is " + std::string(format->name) +
         ", which is not read; PNG, JPEG, WebP and PNM are. Convert it: " +
         std::string(format->converter);
}

}  // namespace hellocnn::client::picture
