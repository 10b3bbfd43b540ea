// A table that grows while other threads read it, without a lock on their side.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_ID_TABLE_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_ID_TABLE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <memory>
#include <utility>

namespace hellocnn::server {

// Rows never move, and adding one writes nothing that belongs to another. So a thread may read a
// row once it has got its index in a way that synchronizes it with the thread that added the row.
// One thread at a time may add rows or ask for the size.
template <typename Row>
class IdTable {
 public:
  std::size_t Add(Row row) {
    const std::size_t index = size_;
    std::unique_ptr<Row[]>& block = blocks_.at(BlockOf(index));
    if (block == nullptr) block = std::make_unique<Row[]>(kFirst << BlockOf(index));
    (*this)[index] = std::move(row);
    ++size_;
    return index;
  }
  // For the thread that may add rows. Only a row that no thread reads any more may be replaced.
  Row& operator[](std::size_t index) {
    const std::size_t block = BlockOf(index);
    return blocks_[block][index - FirstOf(block)];
  }
  const Row& operator[](std::size_t index) const {
    const std::size_t block = BlockOf(index);
    return blocks_[block][index - FirstOf(block)];
  }
  std::size_t size() const { return size_; }

 private:
  // Each block is twice as long as the one before.
  static constexpr std::size_t kFirst = 16;
  // The logarithm to the base 2, rounded down, of index / kFirst + 1.
  static std::size_t BlockOf(std::size_t index) {
    return static_cast<std::size_t>(std::bit_width((index / kFirst + 1) / 2));
  }
  static std::size_t FirstOf(std::size_t block) { return kFirst * ((std::size_t{1} << block) - 1); }

  std::array<std::unique_ptr<Row[]>, 32> blocks_;
  std::size_t size_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_ID_TABLE_H_
