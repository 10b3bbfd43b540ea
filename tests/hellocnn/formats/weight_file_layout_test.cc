// Tests with archives and pickles that no version of PyTorch writes.
#include "tests/hellocnn/formats/weight_file_test.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(WeightFileLayoutTest, TensorsMustLieInTheirStorage) {
  for (const std::string file : {"beyond_storage", "huge_stride", "huge_offset"}) {
    EXPECT_THAT(LoadError(PytorchFile(file + ".pt")),
                AllOf(HasSubstr("conv.0.bias"), HasSubstr("beyond its storage of 6 values")));
  }
}

TEST(WeightFileLayoutTest, SizesThatOverflowAreErrors) {
  EXPECT_THAT(LoadError(PytorchFile("huge_expanded.pt")), HasSubstr("[1099511627776]"));
  EXPECT_THAT(LoadError(PytorchFile("huge_unused_stride.pt")),
              HasSubstr("conv.0.bias has shape [1] and 1 values"));
  EXPECT_THAT(LoadError(PytorchFile("huge_shape.pt")), HasSubstr("and 0 values; wanted [6]"));
  EXPECT_THAT(LoadError(PytorchFile("negative_stride.pt")), HasSubstr("none negative"));
  EXPECT_THAT(LoadError(PytorchFile("stride_missing.pt")), HasSubstr("the same length"));
}

TEST(WeightFileLayoutTest, StoragesMustBeThereAndOfTheirLength) {
  EXPECT_THAT(LoadError(PytorchFile("no_storage.pt")),
              AllOf(HasSubstr("data/4\" is missing"), HasSubstr("conv.6.weight")));
  EXPECT_THAT(LoadError(PytorchFile("short_storage.pt")),
              AllOf(HasSubstr("conv.6.weight"), HasSubstr("191996 bytes"), HasSubstr("48000")));
  EXPECT_THAT(LoadError(PytorchFile("two_storages.pt")), HasSubstr("two records"));
}

TEST(WeightFileLayoutTest, OddArchivesAreErrors) {
  EXPECT_THAT(LoadError(PytorchFile("bzip2.pt")), HasSubstr("method 12"));
  EXPECT_THAT(LoadError(PytorchFile("odd_byte_order.pt")), HasSubstr("\"middle\""));
  EXPECT_THAT(LoadError(PytorchFile("no_pickle.pt")), HasSubstr("<folder>/data.pkl"));
  EXPECT_THAT(LoadError(PytorchFile("bad_pickle.pt")),
              AllOf(HasSubstr("0xff"), HasSubstr("byte 2")));
}

TEST(WeightFileLayoutTest, EncryptedRecordsAreRefused) {
  // Bit 0 of the flags means encryption. The flags are at offset 6 of a local header and at offset
  // 8 of an entry of the central directory.
  std::string bytes = ReadFile(PytorchFile("state_dict.pt"));
  for (const auto& [signature, flags] : {std::pair(std::string("PK\3\4"), 6), {"PK\1\2", 8}}) {
    for (std::size_t at = 0; (at = bytes.find(signature, at)) != std::string::npos; ++at) {
      bytes[at + static_cast<std::size_t>(flags)] |= 1;
    }
  }
  const TemporaryDirectory directory;
  EXPECT_THAT(LoadError(directory.Write("encrypted.pt", bytes)), HasSubstr("encrypted"));
}

TEST(WeightFileLayoutTest, ModulesThatShareOrContainThemselvesEnd) {
  EXPECT_THAT(LoadError(PytorchFile("shared_modules.pt")), HasSubstr("more than 65536 attributes"));
  EXPECT_THAT(LoadError(PytorchFile("cyclic_module.pt")), HasSubstr("nested more than 32 deep"));
}

}  // namespace
}  // namespace hellocnn
