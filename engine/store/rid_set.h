#pragma once
// Resources of one type as bits, by the counter in their rid: what a search collected.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace kiln::engine {

/// A bit for each resource of the type up to the last one added: a megabyte for eight million.
class RidSet {
 public:
  /// `first`: no rid of the type is smaller.
  explicit RidSet(std::int64_t first) : first_(first) {}

  void add(std::int64_t rid) {
    const std::size_t at = place(rid);
    if (at / 64 >= words_.size()) words_.resize(at / 64 + 1);
    count_ += (words_[at / 64] & bit(at)) == 0 ? 1 : 0;
    words_[at / 64] |= bit(at);
  }
  /// Of what was added; keep_only(), add_all() and remove() do not keep it: count_again().
  std::int64_t size() const { return count_; }
  void count_again() {
    count_ = 0;
    for (const std::uint64_t word : words_) count_ += std::popcount(word);
  }
  bool contains(std::int64_t rid) const {
    const std::size_t at = place(rid);
    return at / 64 < words_.size() && (words_[at / 64] & bit(at)) != 0;
  }
  void keep_only(const RidSet& other) {
    if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  }
  void add_all(const RidSet& other) {
    if (words_.size() < other.words_.size()) words_.resize(other.words_.size());
    for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
  }
  void remove(const RidSet& other) {
    for (std::size_t i = 0; i < words_.size() && i < other.words_.size(); ++i) words_[i] &= ~other.words_[i];
  }
  /// The nearest one behind `after` (without: the first), or in front of it when `descending`.
  std::optional<std::int64_t> next(std::optional<std::int64_t> after, bool descending) const {
    return descending ? below(after) : above(after);
  }

 private:
  std::size_t place(std::int64_t rid) const { return static_cast<std::size_t>(rid - first_); }
  static std::uint64_t bit(std::size_t at) { return std::uint64_t{1} << (at % 64); }
  std::int64_t rid_of(std::size_t word, int position) const {
    return first_ + static_cast<std::int64_t>(word * 64) + position;
  }

  std::optional<std::int64_t> above(std::optional<std::int64_t> after) const {
    const std::size_t from = after && *after >= first_ ? place(*after) + 1 : 0;
    for (std::size_t i = from / 64; i < words_.size(); ++i) {
      const std::uint64_t word = i == from / 64 ? words_[i] & (~std::uint64_t{0} << (from % 64)) : words_[i];
      if (word != 0) return rid_of(i, std::countr_zero(word));
    }
    return std::nullopt;
  }
  std::optional<std::int64_t> below(std::optional<std::int64_t> before) const {
    if (before && *before <= first_) return std::nullopt;
    const std::size_t end = before ? std::min(place(*before), words_.size() * 64) : words_.size() * 64;
    for (std::size_t i = (end + 63) / 64; i-- > 0;) {
      const bool is_cut = i == end / 64 && end % 64 != 0;
      const std::uint64_t word = is_cut ? words_[i] & ((std::uint64_t{1} << (end % 64)) - 1) : words_[i];
      if (word != 0) return rid_of(i, 63 - std::countl_zero(word));
    }
    return std::nullopt;
  }

  std::int64_t first_;
  std::int64_t count_ = 0;
  std::vector<std::uint64_t> words_;
};

}  // namespace kiln::engine
