#include "hellocnn/formats/pytorch/archive.h"

#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file.h"

namespace hellocnn {
namespace {

constexpr char kWanted[] =
    "wanted what torch.save(model.state_dict(), path) or torch.jit.script(model).save(path) writes";
constexpr std::int64_t kMaxRecords = 1 << 16;

// The first bytes of the formats that are most often mistaken for a PyTorch archive.
const std::string kZipStart("PK\x03\x04", 4);
const std::string kEmptyZip("PK\x05\x06", 4);

absl::Status Wrong(const std::string& path, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what, "; ", kWanted));
}

bool StartsWith(const std::string& text, const std::string& start) {
  return text.compare(0, start.size(), start) == 0;
}

// Returns an error that says what a file is that the zip library rejected.
absl::Status DescribeOtherFormat(const std::string& path, const std::string& start,
                                 const std::string& reason) {
  if (start.empty()) return Wrong(path, "is empty");
  if (StartsWith(start, kZipStart) || StartsWith(start, kEmptyZip)) {
    return Wrong(path,
                 absl::StrCat("is a zip archive that is truncated or damaged (", reason, ")"));
  }
  if (start[0] == '\x80' && start.size() > 1 && start[1] <= 5) {
    return Wrong(path, absl::StrCat("is a bare Python pickle of protocol ",
                                    static_cast<int>(start[1]), ", not a zip archive"));
  }
  if (StartsWith(start, "\x89PNG")) return Wrong(path, "is a PNG image");
  return Wrong(path, absl::StrCat("is not a zip archive: it starts with \"",
                                  absl::CHexEscape(start.substr(0, 8)), "\""));
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

}  // namespace

void Archive::Close::operator()(zip* archive) const { zip_discard(archive); }

absl::StatusOr<Archive> Archive::Open(const std::string& path) {
  const absl::StatusOr<std::string> start = ReadFileStart(path, 16);
  if (!start.ok()) return start.status();
  int code = 0;
  zip_t* opened = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (opened == nullptr || !StartsWith(*start, kZipStart)) {
    if (opened != nullptr) zip_discard(opened);
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    const int system = SystemError(error);
    zip_error_fini(&error);
    if (opened == nullptr && system != 0) return FileError(system, path, "cannot be opened");
    return DescribeOtherFormat(path, *start, reason);
  }
  Archive archive(path, opened);
  if (absl::Status status = archive.ListRecords(); !status.ok()) return status;
  return archive;
}

absl::Status Archive::ListRecords() {
  const zip_int64_t count = zip_get_num_entries(zip_.get(), 0);
  if (count > kMaxRecords) {
    return Wrong(path_, absl::StrCat("has ", count, " records, over the limit of ", kMaxRecords));
  }
  const std::string pickle = "/data.pkl";
  std::vector<std::string> names;
  std::string folder;
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(zip_.get(), static_cast<zip_uint64_t>(i), 0);
    names.emplace_back(name == nullptr ? "" : name);
    const std::size_t slash = names.back().find('/');
    if (slash == std::string::npos || names.back().substr(slash) != pickle) continue;
    if (!folder.empty()) return Wrong(path_, "is a zip archive with more than one data.pkl");
    folder = names.back().substr(0, slash + 1);
  }
  if (folder.empty()) {
    const std::size_t shown = std::min<std::size_t>(names.size(), 5);
    std::vector<std::string> first;
    for (std::size_t i = 0; i < shown; ++i) {
      first.push_back(absl::CHexEscape(names[i].substr(0, 80)));
    }
    return Wrong(path_, absl::StrCat("is a zip archive but not PyTorch's: it has no record "
                                     "<folder>/data.pkl among its ",
                                     count, " records (", absl::StrJoin(first, ", "),
                                     names.size() > shown ? ", …)" : ")"));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!StartsWith(names[i], folder)) continue;
    // If two records had the same name, two readers could disagree on which one is valid.
    if (!records_.emplace(names[i].substr(folder.size()), i).second) {
      return Wrong(path_, absl::StrCat("has two records of the name \"",
                                       absl::CHexEscape(names[i].substr(0, 80)), "\""));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Archive::Read(const std::string& record, std::size_t max_bytes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_, ": record \"", absl::CHexEscape(record.substr(0, 80)), "\" ", what));
  };
  const auto found = records_.find(record);
  if (found == records_.end()) return wrong("is missing");
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
