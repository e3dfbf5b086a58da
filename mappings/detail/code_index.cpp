#include "mappings/detail/code_index.h"

#include <bit>

namespace kiln::mappings::detail {

CodeIndex::Part CodeIndex::add(const std::vector<std::string_view>& keys) {
  const std::size_t size = std::bit_ceil(keys.size() * 2 + 1);  // at most half full: a search meets an end
  const Part part{static_cast<std::uint32_t>(entries_.size()), static_cast<std::uint32_t>(size - 1)};
  entries_.resize(entries_.size() + size);
  for (std::uint32_t row = 0; row < keys.size(); ++row) {
    if (find(part, keys[row]) != kNoRow) continue;
    const std::uint64_t head = head_of(keys[row]);
    std::uint32_t at = hash(head, keys[row].size());
    while (entries_[part.first + (at & part.mask)].row != kNoRow) ++at;
    entries_[part.first + (at & part.mask)] = {head, keys[row], row};
  }
  return part;
}

}  // namespace kiln::mappings::detail
