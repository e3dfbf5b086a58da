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

  static std::uint64_t head_of(std::string_view key) {
    std::uint64_t head = 0;
    if (key.size() >= sizeof head) {
      std::memcpy(&head, key.data(), sizeof head);
    } else {
      for (const char c : key) head = head << 8 | static_cast<unsigned char>(c);
    }
    return head;
  }
  static std::uint32_t hash(std::uint64_t head, std::size_t size) {
    return static_cast<std::uint32_t>(((head + size) * 0x9E3779B97F4A7C15u) >> 40);
  }

  std::vector<Entry> entries_;
};

}  // namespace kiln::mappings::detail
