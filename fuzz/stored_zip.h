// Writes zip archives whose records are not compressed.
#ifndef HELLOCNN_FUZZ_STORED_ZIP_H_
#define HELLOCNN_FUZZ_STORED_ZIP_H_

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace hellocnn::fuzz {

// Format: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (directory) and 4.3.16
// (end). Archives of less than 4 GiB and 65,536 records.
class StoredZip {
 public:
  void Add(const std::string& name, const std::string& content) {
    std::string fields;
    Put(fields, 20, 2);  // the version that is needed: 2.0
    Put(fields, 0, 2);   // flags
    Put(fields, 0, 2);   // method: stored
    Put(fields, 0, 4);   // time and date
    Put(fields, crc32(0, reinterpret_cast<const Bytef*>(content.data()), Size(content)), 4);
    Put(fields, content.size(), 4);
    Put(fields, content.size(), 4);
    Put(fields, name.size(), 2);
    Put(fields, 0, 2);  // extra field
    directory_ += std::string("PK\x01\x02", 4);
    Put(directory_, 20, 2);  // the version that wrote it
    directory_ += fields;
    Put(directory_, 0, 10);  // comment, disk, attributes
    Put(directory_, records_.size(), 4);
    directory_ += name;
    records_ += std::string("PK\x03\x04", 4) + fields + name + content;
    ++count_;
  }

  // Returns the archive; nothing can be added any more.
  std::string Finish() {
    std::string end("PK\x05\x06", 4);
    Put(end, 0, 4);  // disks
    Put(end, count_, 2);
    Put(end, count_, 2);
    Put(end, directory_.size(), 4);
    Put(end, records_.size(), 4);
    Put(end, 0, 2);  // comment
    return records_ + directory_ + end;
  }

 private:
  static uInt Size(const std::string& bytes) { return static_cast<uInt>(bytes.size()); }

  static void Put(std::string& bytes, std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) {
      bytes += static_cast<char>(i < 8 ? value >> (8 * i) & 0xFF : 0);
    }
  }

  std::string records_;
  std::string directory_;
  std::size_t count_ = 0;
};

}  // namespace hellocnn::fuzz

#endif  // HELLOCNN_FUZZ_STORED_ZIP_H_
