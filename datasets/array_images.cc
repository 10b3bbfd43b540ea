#include "datasets/array_images.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using Kind = NpyHeader::Kind;

constexpr int kContentSide = 28;
constexpr std::int64_t kMaxArrayImages = std::int64_t{1} << 20;
constexpr double kWhite = 255;

absl::Status WrongArray(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

// Returns the shape without its channel of extent 1, if there is one.
std::vector<std::int64_t> WithoutChannel(std::vector<std::int64_t> shape) {
  if (shape.size() == 4 && shape[1] == 1) {
    shape.erase(shape.begin() + 1);
  } else if (shape.size() == 4 && shape[3] == 1) {
    shape.pop_back();
  }
  return shape;
}

// Returns 28 or 32, or nullopt for the shapes of other arrays.
std::optional<int> SideOf(const std::vector<std::int64_t>& shape) {
  for (const int side : {kContentSide, kImageSide}) {
    if (shape.size() == 3 && shape[1] == side && shape[2] == side) return side;
    if (shape.size() == 2 && shape[1] == side * side) return side;
  }
  return std::nullopt;
}

// Where the pixels of an array are.
struct Layout {
  bool fortran_order;
  std::size_t count;
  std::size_t side;
  bool is_flat;  // [N, side * side]

  // Returns the index of a pixel among the items of the file.
  std::size_t IndexOf(std::size_t image, std::size_t pixel) const {
    if (!fortran_order) return image * side * side + pixel;
    const std::size_t within =
        is_flat ? pixel : pixel / side + side * (pixel % side);  // columns come one after another
    return image + count * within;
  }
};

double ValueOf(const NpyArray& array, std::size_t index) {
  const std::uint64_t bits = array.Bits(index);
  if (array.header.kind == Kind::kUnsigned) return static_cast<double>(bits);
  if (array.header.kind == Kind::kFloat) {
    if (array.header.item_bytes == 8) return std::bit_cast<double>(bits);
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
  }
  const int unused = static_cast<int>(64 - 8 * array.header.item_bytes);
  return static_cast<double>(static_cast<std::int64_t>(bits << unused) >> unused);
}

// What the values of an array have in common.
struct Range {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  bool is_whole = true;   // all are whole numbers
  bool is_number = true;  // none is NaN

  bool has_one() const { return most == 1; }
};

Range RangeOfArray(const NpyArray& array) {
  Range range;
  for (std::size_t i = 0; i < array.header.items(); ++i) {
    const double value = ValueOf(array, i);
    range.is_number = range.is_number && !std::isnan(value);
    range.is_whole = range.is_whole && value == std::floor(value);
    range.least = std::min(range.least, value);
    range.most = std::max(range.most, value);
  }
  return range;
}

// Returns the factor that makes the values grey levels, and notes what it does to floats.
absl::StatusOr<double> FactorFor(const std::string& name, const NpyArray& array,
                                 std::vector<std::string>& notes) {
  const Range range = RangeOfArray(array);
  const bool is_float = array.header.kind == Kind::kFloat;
  const std::string found =
      range.is_number ? absl::StrCat("values from ", range.least, " to ", range.most) : "NaN";
  if (is_float && range.is_number && range.least >= 0 && range.most <= 1) {
    notes.push_back(absl::StrCat(name, ": ", array.header.type(),
                                 " from 0 to 1 are multiplied by 255 and rounded"));
    return kWhite;
  }
  if (range.is_number && range.is_whole && range.least >= 0 && range.most <= kWhite &&
      !range.has_one()) {
    if (is_float) {
      notes.push_back(absl::StrCat(name, ": ", array.header.type(),
                                   " are whole numbers from 0 to 255, and taken as grey levels"));
    }
    return 1;
  }
  return WrongArray(name,
                    absl::StrCat("is of ", array.header.type(), " and has ", found,
                                 range.has_one() ? ", which looks like black and white" : "",
                                 "; wanted grey levels from 0 to 255, or floats from 0 to 1"));
}

}  // namespace

absl::StatusOr<GreyImages> ImagesOfArray(const std::string& name, NpyArray array,
                                         std::vector<std::string>& notes) {
  const NpyHeader& header = array.header;
  const std::vector<std::int64_t> shape = WithoutChannel(header.shape);
  const std::optional<int> side = SideOf(shape);
  if (!side.has_value()) {
    return WrongArray(name, absl::StrCat("has the shape ", ShapeToString(header.shape),
                                         "; wanted images in grey: [N, 28, 28], [N, 1, 28, 28], "
                                         "[N, 28, 28, 1] or [N, 784], or the same of 32"));
  }
  if (header.kind == Kind::kBool) {
    return WrongArray(name, "is of bool; wanted grey levels: save array.astype('uint8') * 255");
  }
  if (shape[0] > kMaxArrayImages) {
    return WrongArray(name,
                      absl::StrCat("has ", shape[0], " images; wanted at most ", kMaxArrayImages));
  }
  if (shape[0] == 0) return WrongArray(name, "has no image; wanted at least one");
  const absl::StatusOr<double> factor = FactorFor(name, array, notes);
  if (!factor.ok()) return factor.status();
  GreyImages images;
  images.side = *side;
  if (header.kind == Kind::kUnsigned && header.item_bytes == 1 && !header.fortran_order) {
    images.pixels.assign(array.bytes.begin() + static_cast<std::ptrdiff_t>(header.bytes),
                         array.bytes.end());
    return images;
  }
  const Layout layout{header.fortran_order, static_cast<std::size_t>(shape[0]),
                      static_cast<std::size_t>(*side), shape.size() == 2};
  images.pixels.reserve(header.items());
  for (std::size_t image = 0; image < layout.count; ++image) {
    for (std::size_t pixel = 0; pixel < layout.side * layout.side; ++pixel) {
      const double level = *factor * ValueOf(array, layout.IndexOf(image, pixel));
      images.pixels.push_back(static_cast<std::uint8_t>(std::lround(level)));
    }
  }
  return images;
}

absl::StatusOr<std::vector<int>> LabelsOfArray(const std::string& name, const NpyArray& array) {
  const NpyHeader& header = array.header;
  const bool is_column = header.shape.size() == 2 && header.shape[1] == 1;
  if (header.shape.size() != 1 && !is_column) {
    const bool is_one_hot = header.shape.size() == 2;
    return WrongArray(name, absl::StrCat("has the shape ", ShapeToString(header.shape),
                                         "; wanted [N], a label for each image",
                                         is_one_hot ? ": save array.argmax(1)" : ""));
  }
  if (header.kind != Kind::kSigned && header.kind != Kind::kUnsigned) {
    return WrongArray(name, absl::StrCat("is of ", header.type(),
                                         "; wanted integers: save array.astype('int64')"));
  }
  if (header.shape[0] > kMaxArrayImages) {
    return WrongArray(
        name, absl::StrCat("has ", header.shape[0], " labels; wanted at most ", kMaxArrayImages));
  }
  std::vector<int> labels;
  labels.reserve(header.items());
  for (std::size_t i = 0; i < header.items(); ++i) {
    const double value = ValueOf(array, i);
    if (value < std::numeric_limits<int>::min() || value > std::numeric_limits<int>::max()) {
      return WrongArray(name, absl::StrCat("label ", i, " is ", value, "; wanted a class"));
    }
    labels.push_back(static_cast<int>(value));
  }
  return labels;
}

}  // namespace hellocnn
