#pragma once
// Which hashes were asked for a short while ago: what is asked for once need not be remembered.

#include <array>
#include <cstddef>
#include <cstdint>

namespace kiln::mappings::detail {

/// Of bounded size: forgets a hash when another takes its place, and may take two for one. Not thread-safe.
/// What comes in one message only has to be asked for more than `kAsks` times: a name or a number is asked
/// for by two or three rules and never again.
template <std::uint32_t kAsks>
class AskedBefore {
 public:
  /// Whether `hash` was asked for in a run before this one, or often enough in this one.
  bool comes_again(std::size_t hash) {
    Place& place = places_[hash % places_.size()];
    const auto mark = static_cast<std::uint32_t>(hash >> 10);
    if (place.mark == mark) return place.run != run_ || ++place.asks > kAsks;
    place = {mark, run_, 1};
    return false;
  }
  void next_run() { ++run_; }

 private:
  struct Place {
    std::uint32_t mark = 0, run = 0, asks = 0;
  };
  std::array<Place, 1024> places_{};
  std::uint32_t run_ = 1;
};

}  // namespace kiln::mappings::detail
