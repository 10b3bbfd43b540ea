#include "datasets/npz_file.h"

#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

constexpr zip_int64_t kMaxZipRecords = 1024;
constexpr std::size_t kZipChunkBytes = std::size_t{1} << 20;

struct CloseZipRecord {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

// Returns what hinders the record from being read, or "".
std::string FlawOfRecord(const zip_stat_t& stat, std::size_t max_bytes) {
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD;
  if ((stat.valid & kNeeded) != kNeeded) return "has no size, checksum or compression method";
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE) {
    return "is encrypted; wanted one that is not";
  }
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    return absl::StrCat("is compressed by method ", stat.comp_method,
                        "; wanted 0 (none) or 8 (Deflate)");
  }
  if (stat.size > max_bytes) {
    return absl::StrCat("has ", stat.size, " bytes; wanted at most ", max_bytes);
  }
  return "";
}

}  // namespace

void NpzFile::Close::operator()(zip* archive) const { zip_discard(archive); }

absl::StatusOr<NpzFile> NpzFile::Open(const std::string& path) {
  const absl::StatusOr<int> descriptor = OpenRegularFile(path);
  if (!descriptor.ok()) return descriptor.status();
  int code = 0;
  zip_t* opened = zip_fdopen(*descriptor, 0, &code);
  if (opened == nullptr) {
    close(*descriptor);
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    return absl::InvalidArgumentError(absl::StrCat(path, ": is no zip archive, or a damaged one (",
                                                   reason, "); wanted what numpy.savez or ",
                                                   "numpy.savez_compressed writes"));
  }
  NpzFile file(path, opened);
  if (absl::Status status = file.ListNames(); !status.ok()) return status;
  return file;
}

absl::Status NpzFile::ListNames() {
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  if (count > kMaxZipRecords) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": has ", count, " records; wanted at most ", kMaxZipRecords));
  }
  std::set<std::string> seen;
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(zip_.get(), static_cast<zip_uint64_t>(i), 0);
    names_.emplace_back(name == nullptr ? "" : name);
    // If two records had the same name, two readers could take different ones.
    if (!seen.insert(names_.back()).second) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": has two records of the name \"",
                                                     Shown(names_.back()), "\"; wanted one"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NpzFile::Read(const std::string& name, std::size_t max_bytes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": record \"", Shown(name), "\" ", what));
  };
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found == names_.end()) return wrong("is missing");
  const auto index = static_cast<zip_uint64_t>(found - names_.begin());
  zip_stat_t stat;
  if (zip_stat_index(zip_.get(), index, 0, &stat) != 0) return wrong("has no description");
  if (const std::string flaw = FlawOfRecord(stat, max_bytes); !flaw.empty()) return wrong(flaw);
  const std::unique_ptr<zip_file_t, CloseZipRecord> file(zip_fopen_index(zip_.get(), index, 0));
  if (file == nullptr) return wrong(absl::StrCat("cannot be opened: ", zip_strerror(zip_.get())));
  // The size is only what the archive says. libzip checks the CRC when a read reaches the end.
  std::string bytes;
  while (bytes.size() <= stat.size) {
    const std::size_t before = bytes.size();
    bytes.resize(before + std::min<std::size_t>(kZipChunkBytes, stat.size + 1 - before));
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + before, bytes.size() - before);
    bytes.resize(before + static_cast<std::size_t>(std::max<zip_int64_t>(got, 0)));
    if (got < 0) {
      return wrong(absl::StrCat("cannot be read: ", zip_file_strerror(file.get()), " after ",
                                before, " of ", stat.size, " bytes"));
    }
    if (got == 0) break;
  }
  if (bytes.size() != stat.size) {
    return wrong(absl::StrCat("does not have the ", stat.size, " bytes that the archive states"));
  }
  return bytes;
}

}  // namespace hellocnn
