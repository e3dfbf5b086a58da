#pragma once
// Which hashes were asked for a short while ago, in another run.

#include <array>
#include <cstddef>
#include <cstdint>

namespace kiln::mappings::detail {

/// Of bounded size: forgets a hash when another takes its place, and may take two for one. Not thread-safe.
class AskedBefore {
 public:
  /// Whether `hash` was asked for in a run before this one.
  bool comes_again(std::size_t hash) {
    Place& place = places_[hash % places_.size()];
    const auto mark = static_cast<std::uint32_t>(hash >> 12);
    if (place.mark == mark) return place.run != run_;
    place = {mark, run_};
    return false;
  }
  void next_run() { ++run_; }

 private:
  struct Place {
    std::uint32_t mark = 0, run = 0;
  };
  std::array<Place, 2048> places_{};
  std::uint32_t run_ = 1;
};

}  // namespace kiln::mappings::detail
