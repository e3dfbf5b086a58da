#pragma once
// What fns of one text gave: codes, authorities and units come again and again in a stream of messages, and
// what a pure fn makes of them is the same each time.

#include <cstdint>
#include <string_view>
#include <vector>

#include "mappings/arena.h"

namespace kiln::mappings::detail {

/// Holds copies of its texts. Bounded: it forgets everything when it is full. Not thread-safe.
class CallMemory {
 public:
  struct Call {
    std::uint32_t function = 0;
    bool absent = false;         ///< the result is absent
    bool from_argument = false;  ///< the result's source is that of the argument
    std::uint64_t steps = 0;     ///< what the call cost
    std::string_view argument, result;
  };

  /// Valid until the next keep() or clear(); nullptr when it is not known.
  const Call* find(std::uint32_t function, std::string_view argument) const;
  /// Longer texts are not kept.
  void keep(const Call& call);
  void clear();

 private:
  static constexpr std::size_t kCallsMax = 1024, kTextMax = 200, kPlaces = 2048;

  static std::size_t hash(std::uint32_t function, std::string_view argument);

  std::vector<Call> calls_;
  std::vector<std::uint16_t> places_;  ///< open-addressed: 1 + index in calls_; 0: free
  Arena texts_;
};

}  // namespace kiln::mappings::detail
