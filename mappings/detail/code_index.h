#pragma once
// Finds the row of a literal table by its key: codes are short, so the first eight bytes decide nearly
// always.

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace kiln::mappings::detail {

/// Several tables in one array, each an open-addressed part of it. Keys are borrowed.
class CodeIndex {
 public:
  static constexpr std::uint32_t kNoRow = 0xFFFFFFFFu;
  struct Part {
    std::uint32_t first = 0, mask = 0;
  };

  /// Rows are numbered from 0 in the order of `keys`; of several equal keys the first counts.
  Part add(const std::vector<std::string_view>& keys);

  std::uint32_t find(Part part, std::string_view key) const {
    const std::uint64_t head = head_of(key);
    for (std::uint32_t at = hash(head, key.size());; ++at) {
      const Entry& entry = entries_[part.first + (at & part.mask)];
      if (entry.row == kNoRow) return kNoRow;
      if (entry.head == head && entry.key.size() == key.size() &&
          (key.size() <= sizeof head || entry.key == key)) {
        return entry.row;
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t head = 0;
    std::string_view key;
    std::uint32_t row = kNoRow;
  };

  /// All of a key of up to eight bytes, whose size is known; of a longer one its beginning.
  static std::uint64_t head_of(std::string_view key) {
    const char* const data = key.data();
    const std::size_t size = key.size();
    const auto byte = [data](std::size_t at) { return std::uint64_t{static_cast<unsigned char>(data[at])}; };
    if (size >= 8) return load<std::uint64_t>(data);
    if (size >= 4)
      return load<std::uint32_t>(data) | std::uint64_t{load<std::uint32_t>(data + size - 4)} << 32;
    return size == 0 ? 0 : byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16;
  }
  template <class Word>
  static Word load(const char* from) {
    Word word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
  }
  static std::uint32_t hash(std::uint64_t head, std::size_t size) {
    return static_cast<std::uint32_t>(((head + size) * 0x9E3779B97F4A7C15u) >> 40);
  }

  std::vector<Entry> entries_;
};

}  // namespace kiln::mappings::detail
