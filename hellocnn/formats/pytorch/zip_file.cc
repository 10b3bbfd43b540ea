#include "hellocnn/formats/pytorch/zip_file.h"

#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"

namespace hellocnn {
namespace {

constexpr char kWanted[] =
    "wanted what torch.save(model.state_dict(), path), torch.jit.script(model).save(path) or "
    "torch.export.save(exported_program, path) writes";
constexpr std::size_t kStartBytes = 16;
constexpr std::int64_t kMaxRecords = 1 << 16;

// The first bytes of the formats that are most often mistaken for a PyTorch archive.
const std::string kZipStart("PK\x03\x04", 4);
const std::string kEmptyZip("PK\x05\x06", 4);

std::string ShownRecord(const std::string& name) { return absl::CHexEscape(name.substr(0, 80)); }

absl::Status WrongFile(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, "; ", kWanted));
}

bool StartsWith(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// Returns an error that says what a file is that the zip library rejected.
absl::Status DescribeOtherFormat(const std::string& path, const std::string& start,
                                 const std::string& reason) {
  if (start.empty()) return WrongFile(path, "is empty");
  if (StartsWith(start, kZipStart) || StartsWith(start, kEmptyZip)) {
    return WrongFile(path,
                     absl::StrCat("is a zip archive that is truncated or damaged (", reason, ")"));
  }
  if (start[0] == '\x80' && start.size() > 1 && start[1] <= 5) {
    return WrongFile(path, absl::StrCat("is a bare Python pickle of protocol ",
                                        static_cast<int>(start[1]), ", not a zip archive"));
  }
  if (StartsWith(start, "\x89PNG")) return WrongFile(path, "is a PNG image");
  return WrongFile(path, absl::StrCat("is not a zip archive: it starts with \"",
                                      absl::CHexEscape(start.substr(0, 8)), "\""));
}

// Opens an archive that libzip reads from `source`, which it takes over. Returns null and the error
// if it cannot.
zip_t* OpenSource(zip_source_t* source, zip_error_t* error) {
  zip_t* opened = source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, error);
  if (opened == nullptr && source != nullptr) zip_source_free(source);
  return opened;
}

// Returns errno if libzip passes an error of the system on, else 0. Errors of an offset or a size
// that no file can have come from what a damaged archive says of itself, and not from the system.
int SystemError(const zip_error_t& error) {
  if (zip_error_system_type(&error) != ZIP_ET_SYS) return 0;
  const int code = zip_error_code_system(&error);
  return code == EFBIG || code == EINVAL || code == EOVERFLOW ? 0 : code;
}

struct CloseRecord {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

// Frees an error of libzip at the end of its block.
struct ZipError {
  ZipError() { zip_error_init(&error); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(&error); }
  zip_error_t error;
};

absl::Status CannotOpen(const std::string& path, const std::string& start, zip_error_t* error) {
  const int system = SystemError(*error);
  if (system != 0) return FileError(system, path, "cannot be opened");
  return DescribeOtherFormat(path, start, zip_error_strerror(error));
}

}  // namespace

void ZipFile::Close::operator()(zip* archive) const { zip_discard(archive); }

absl::StatusOr<ZipFile> ZipFile::Open(const std::string& path) {
  const absl::StatusOr<std::string> start = ReadFileStart(path, kStartBytes);
  if (!start.ok()) return start.status();
  if (!StartsWith(*start, kZipStart)) return DescribeOtherFormat(path, *start, "no records");
  ZipError error;
  zip_t* opened =
      OpenSource(zip_source_file_create(path.c_str(), 0, -1, &error.error), &error.error);
  if (opened == nullptr) return CannotOpen(path, *start, &error.error);
  ZipFile file(path, opened);
  if (absl::Status status = file.List(); !status.ok()) return status;
  return file;
}

absl::StatusOr<ZipFile> ZipFile::OpenBytes(const std::string& path, std::string bytes) {
  const std::string start = bytes.substr(0, kStartBytes);
  if (!StartsWith(start, kZipStart)) return DescribeOtherFormat(path, start, "no records");
  auto kept = std::make_unique<std::string>(std::move(bytes));
  ZipError error;
  zip_t* opened = OpenSource(zip_source_buffer_create(kept->data(), kept->size(), 0, &error.error),
                             &error.error);
  if (opened == nullptr) return CannotOpen(path, start, &error.error);
  ZipFile file(path, opened);
  file.bytes_ = std::move(kept);
  if (absl::Status status = file.List(); !status.ok()) return status;
  return file;
}

absl::Status ZipFile::Wrong(const std::string& what) const { return WrongFile(path_, what); }

absl::Status ZipFile::List() {
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  if (count > kMaxRecords) {
    return Wrong(absl::StrCat("has ", count, " records, over the limit of ", kMaxRecords));
  }
  for (zip_int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    const char* name = zip_get_name(zip_.get(), index, 0);
    names_.emplace_back(name == nullptr ? "" : name);
    if (!indices_.emplace(names_.back(), index).second) {
      return Wrong(
          absl::StrCat("has two records of the name \"", ShownRecord(names_.back()), "\""));
    }
  }
  return absl::OkStatus();
}

std::string ZipFile::FirstNames() const {
  const std::size_t shown = std::min<std::size_t>(names_.size(), 5);
  std::vector<std::string> first;
  for (std::size_t i = 0; i < shown; ++i) first.push_back(ShownRecord(names_[i]));
  return absl::StrCat(absl::StrJoin(first, ", "), names_.size() > shown ? ", …" : "");
}

absl::StatusOr<std::string> ZipFile::Read(const std::string& name, std::size_t max_bytes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": record \"", ShownRecord(name), "\" ", what));
  };
  const auto found = indices_.find(name);
  if (found == indices_.end()) return wrong("is missing");
  zip_stat_t stat;
  constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD;
  if (zip_stat_index(zip_.get(), found->second, 0, &stat) != 0 ||
      (stat.valid & kNeeded) != kNeeded) {
    return wrong("has no size, checksum or compression method");
  }
  if ((stat.valid & ZIP_STAT_ENCRYPTION_METHOD) != 0 && stat.encryption_method != ZIP_EM_NONE) {
    return wrong("is encrypted; wanted one that is not");
  }
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    return wrong(absl::StrCat("is compressed by method ", stat.comp_method,
                              "; wanted 0 (none) or 8 (Deflate)"));
  }
  if (stat.size > max_bytes) {
    return wrong(absl::StrCat("has ", stat.size, " bytes; wanted at most ", max_bytes));
  }
  const std::unique_ptr<zip_file_t, CloseRecord> file(
      zip_fopen_index(zip_.get(), found->second, 0));
  if (file == nullptr) return wrong(absl::StrCat("cannot be opened: ", zip_strerror(zip_.get())));
  // The buffer has one extra byte, because libzip checks the CRC only when a read reaches the end.
  std::string bytes(stat.size + 1, '\0');
  std::size_t got = 0;
  while (got < bytes.size()) {
    const zip_int64_t n = zip_fread(file.get(), bytes.data() + got, bytes.size() - got);
    if (n < 0) {
      if (const int system = SystemError(*zip_file_get_error(file.get())); system != 0) {
        return FileError(system, path_, "cannot be read");
      }
      return wrong(absl::StrCat("cannot be read: ", zip_file_strerror(file.get()), " after ", got,
                                " of ", stat.size, " bytes"));
    }
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  if (got != stat.size) {
    return wrong(absl::StrCat("does not have the ", stat.size, " bytes that the archive states"));
  }
  bytes.resize(got);
  return bytes;
}

}  // namespace hellocnn
