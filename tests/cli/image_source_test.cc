#include "cli/images/image_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <thread>

#include "tests/testing/files.h"

namespace hellocnn::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kPicture[] = "P2 2 1 255 7 9";

// Returns `count` images of 2 rows by 3 columns. All pixels of image i are i.
std::string Idx(int count) {
  std::string bytes("\0\0\x08\x03\0\0\0\0\0\0\0\x02\0\0\0\x03", 16);
  bytes[7] = static_cast<char>(count);
  for (int i = 0; i < count; ++i) bytes.append(6, static_cast<char>(i));
  return bytes;
}

class ImageSourceTest : public testing::Test {
 protected:
  std::vector<SourceImage> Read(std::vector<std::string> paths, const SourceOptions& options = {},
                                const std::string& list = "") {
    ImageSource source(Paths(std::move(paths), list), options);
    std::vector<SourceImage> images;
    while (std::optional<SourceImage> image = source.Next()) images.push_back(*std::move(image));
    return images;
  }

  // Returns the error of the last image, of which there must be one.
  absl::Status Error(const std::string& path, const SourceOptions& options = {}) {
    const std::vector<SourceImage> images = Read({path}, options);
    EXPECT_THAT(images, testing::Not(IsEmpty()));
    if (images.empty()) return absl::OkStatus();
    EXPECT_THAT(std::string(images.back().status.message()), HasSubstr(path));
    EXPECT_THAT(images.back().bytes, IsEmpty());
    return images.back().status;
  }

  std::string WriteGzip(const std::string& name, const std::string& bytes) {
    const std::string path = folder_.path() + "/" + name;
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }

  TemporaryDirectory folder_;
};

TEST_F(ImageSourceTest, YieldsTheImagesOfAnIdxFileGzippedOrNot) {
  for (const std::string& path :
       {folder_.Write("idx", Idx(50)), WriteGzip("images.png", Idx(50))}) {
    const std::vector<SourceImage> images = Read({path}, {.limit = 4});
    ASSERT_THAT(images, SizeIs(4));
    EXPECT_EQ(images[3].bytes, std::string(6, '\3'));
    EXPECT_EQ(images[3].width, 3);
    EXPECT_EQ(images[3].height, 2);
    EXPECT_EQ(images[3].index, 3);
    EXPECT_EQ(images[3].total, 50);
    EXPECT_THAT(Read({path}), SizeIs(50));
    const std::vector<SourceImage> last = Read({path}, {.index = 49});
    ASSERT_THAT(last, SizeIs(1));
    EXPECT_EQ(last[0].bytes, std::string(6, '\x31'));
    EXPECT_EQ(Error(path, {.index = 50}).code(), absl::StatusCode::kOutOfRange);
  }
}

TEST_F(ImageSourceTest, YieldsTheImagesBeforeTheFaultOfAnIdxFile) {
  const std::vector<SourceImage> images = Read({folder_.Write("cut", Idx(9).substr(0, 40))});
  ASSERT_THAT(images, SizeIs(5));
  EXPECT_TRUE(images[3].status.ok());
  EXPECT_THAT(std::string(images[4].status.message()), HasSubstr("image 4 of 9 has 0 bytes"));
  const std::string gzip = ReadFile(WriteGzip("gz", Idx(9)));
  EXPECT_THAT(
      std::string(Error(folder_.Write("cut.gz", gzip.substr(0, gzip.size() - 9))).message()),
      HasSubstr("cut off"));
  EXPECT_THAT(std::string(Error(folder_.Write("long", Idx(9) + "x")).message()),
              HasSubstr("bytes after the last"));
}

TEST_F(ImageSourceTest, ErrorsNameTheFileAndDoNotEndTheRun) {
  const std::string none = folder_.path() + "/none.png";
  EXPECT_EQ(Error(none).code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      std::string(Error(folder_.Write("labels", std::string("\0\0\x08\1\0\0\0\1\5", 9))).message()),
      HasSubstr("labels"));
  EXPECT_THAT(std::string(Error(folder_.Write("floats",
                                              std::string("\0\0\x0d\3", 4) + std::string(12, '\1')))
                              .message()),
              HasSubstr("IDX type is 0x0d"));
  EXPECT_THAT(std::string(Error(folder_.Write("one.pgm", kPicture), {.index = 1}).message()),
              HasSubstr("image 0"));
  const std::vector<SourceImage> images = Read({none, folder_.Write("p", kPicture)});
  ASSERT_THAT(images, SizeIs(2));
  EXPECT_EQ(images[1].bytes, kPicture);
}

TEST_F(ImageSourceTest, RawPixelsMayBeginLikeIdx) {
  const std::string raw = Idx(10) + std::string(784 - 76, '\0');
  const std::vector<SourceImage> images = Read({folder_.Write("raw", raw)}, {.raw = true});
  ASSERT_THAT(images, SizeIs(1));
  EXPECT_EQ(images[0].bytes, raw);
  EXPECT_EQ(images[0].width, 0);
}

TEST_F(ImageSourceTest, ReadsNoMoreOfWhatIsNoPictureThanItTakesToSeeThat) {
  const std::vector<SourceImage> images = Read({"/dev/zero"});
  ASSERT_THAT(images, SizeIs(1));
  EXPECT_LT(images[0].bytes.size(), 10'000U);
}

TEST_F(ImageSourceTest, ReadsNoMoreRawPixelsThanAnImageHas) {
  const std::vector<SourceImage> images = Read({"/dev/zero"}, {.raw = true});
  ASSERT_THAT(images, SizeIs(1));
  EXPECT_EQ(images[0].status,
            absl::InvalidArgumentError(
                "/dev/zero: it has more than 4096 bytes, which is the limit of raw pixels"));
}

TEST_F(ImageSourceTest, OpensAPipeOnce) {
  const std::string path = folder_.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const std::string& bytes :
       {std::string(kPicture), Idx(2), ReadFile(WriteGzip("z", Idx(2)))}) {
    // If the pipe were opened twice, the second reader would wait for another writer.
    std::thread writer([&] { WriteFile(path, bytes); });
    const std::vector<SourceImage> images = Read({path});
    writer.join();
    ASSERT_FALSE(images.empty());
    for (const SourceImage& image : images) EXPECT_TRUE(image.status.ok()) << image.status;
  }
}

TEST_F(ImageSourceTest, FindsThePicturesInFolders) {
  std::filesystem::create_directories(folder_.path() + "/a/b");
  std::filesystem::create_directories(folder_.path() + "/.hidden");
  for (const char* name :
       {"z.PNG", "a/1.jpg", "a/b/2.heic", "a/notes.txt", ".hidden/3.png", ".4.png"})
    folder_.Write(name, kPicture);
  std::vector<std::string> files;
  for (const SourceImage& image : Read({folder_.path()}))
    files.push_back(image.file.substr(folder_.path().size()));
  EXPECT_THAT(files, ElementsAre("/a/1.jpg", "/a/b/2.heic", "/z.PNG"));
  std::filesystem::create_directories(folder_.path() + "/empty");
  EXPECT_THAT(std::string(Error(folder_.path() + "/empty").message()), HasSubstr("no picture"));
}

TEST_F(ImageSourceTest, ReadsListsOfFiles) {
  const std::string first = folder_.Write("one", kPicture);
  const std::string second = folder_.Write("two words", kPicture);
  for (const std::string& list :
       {first + "\n" + second + "\n", first + "\n\n" + second, first + "\r\n" + second + "\r\n",
        first + std::string(1, '\0') + second + std::string(1, '\0')}) {
    const std::vector<SourceImage> images = Read({first}, {}, folder_.Write("list", list));
    ASSERT_THAT(images, SizeIs(3));
    EXPECT_EQ(images[1].file, first);
    EXPECT_EQ(images[2].file, second);
  }
  // A list that is longer than what is read at a time.
  std::string list;
  for (int i = 0; i < 5000; ++i) list += second + "\n";
  EXPECT_THAT(Read({}, {}, folder_.Write("list", list)), SizeIs(5000));
  const std::vector<SourceImage> none = Read({}, {}, folder_.path() + "/no list");
  ASSERT_THAT(none, SizeIs(1));
  EXPECT_EQ(none[0].status.code(), absl::StatusCode::kNotFound);
  const std::vector<SourceImage> no_list =
      Read({}, {}, folder_.Write("noise", std::string(100'000, 'x')));
  ASSERT_THAT(no_list, SizeIs(1));
  EXPECT_THAT(std::string(no_list[0].status.message()), HasSubstr("no list of files"));
}

TEST_F(ImageSourceTest, NamesInZeroSeparatedListsMayHaveLineEnds) {
  const std::string odd = folder_.Write("two\nlines\r", kPicture);
  const std::string plain = folder_.Write("plain", kPicture);
  std::string list;
  for (const std::string& name : {odd, plain, odd}) list += name + std::string(1, '\0');
  const std::vector<SourceImage> images = Read({}, {}, folder_.Write("list", list));
  ASSERT_THAT(images, SizeIs(3));
  EXPECT_EQ(images[0].file, odd);
  EXPECT_EQ(images[1].file, plain);
  EXPECT_EQ(images[2].file, odd);
  for (const SourceImage& image : images) EXPECT_TRUE(image.status.ok()) << image.status;
  // A list of lines that goes on with zero bytes is none, whatever was meant by it.
  std::string mixed;
  for (int i = 0; i < 5000; ++i) mixed += plain + "\n";
  mixed += plain + std::string(1, '\0') + plain;
  EXPECT_THAT(std::string(Read({}, {}, folder_.Write("mixed", mixed)).back().status.message()),
              HasSubstr("no list of files"));
}

TEST_F(ImageSourceTest, ListsOnPipesAreReadAsTheyCome) {
  const std::string one = folder_.Write("one", kPicture);
  const std::string odd = folder_.Write("two\nlines", kPicture);
  const std::string pipe = folder_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  const int writer = open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(writer, 0);
  const auto send = [&](const std::string& bytes) {
    ASSERT_EQ(write(writer, bytes.data(), bytes.size()), std::ssize(bytes));
  };
  ImageSource source(Paths({}, pipe), {});
  EXPECT_FALSE(source.Ready(absl::ZeroDuration()));
  send(one.substr(0, 5));  // says nothing of the separator
  EXPECT_FALSE(source.Ready(absl::ZeroDuration()));
  send(one.substr(5) + std::string(1, '\0') + odd);
  ASSERT_TRUE(source.Ready(absl::ZeroDuration()));
  EXPECT_EQ(source.Next()->file, one);
  EXPECT_FALSE(source.Ready(absl::Milliseconds(1)));
  send(std::string(1, '\0'));
  ASSERT_TRUE(source.Ready(absl::ZeroDuration()));
  EXPECT_EQ(source.Next()->file, odd);
  close(writer);
  EXPECT_TRUE(source.Ready(absl::InfiniteDuration()));
  EXPECT_FALSE(source.Next().has_value());
}

TEST_F(ImageSourceTest, AFolderThatCannotBeReadIsNamedAndLeavesTheRest) {
  const std::string locked = folder_.path() + "/b";
  std::filesystem::create_directories(locked);
  std::filesystem::create_directories(folder_.path() + "/c");
  folder_.Write("a.png", kPicture);
  folder_.Write("c/d.png", kPicture);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
  ASSERT_EQ(chmod(locked.c_str(), 0), 0);
  // Nothing is locked for the superuser.
  const uid_t user = geteuid();
  constexpr uid_t kNobody = 65534;
  if (user == 0) {
    ASSERT_EQ(seteuid(kNobody), 0);
  }
  const std::vector<SourceImage> images = Read({folder_.path()});
  if (user == 0) {
    ASSERT_EQ(seteuid(user), 0);
  }
  ASSERT_EQ(chmod(locked.c_str(), 0755), 0);
  ASSERT_THAT(images, SizeIs(3));
  EXPECT_EQ(images[0].file, folder_.path() + "/a.png");
  EXPECT_TRUE(images[0].status.ok()) << images[0].status;
  EXPECT_EQ(images[1].file, folder_.path() + "/c/d.png");
  EXPECT_EQ(images[2].file, locked);
  EXPECT_EQ(images[2].status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(images[2].status.message()),
              HasSubstr(locked + ": the folder cannot be read"));
}

TEST_F(ImageSourceTest, SaysThatAnIdxFileIsEmpty) {
  EXPECT_THAT(std::string(Error(folder_.Write("empty.idx", Idx(0))).message()),
              HasSubstr("there are no images in it"));
}

}  // namespace
}  // namespace hellocnn::cli
