#pragma once
// What fns of a few texts gave: codes, authorities and units come again and again in a stream of messages,
// and what a pure fn makes of them is the same each time.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "mappings/arena.h"
#include "mappings/detail/asked_before.h"
#include "mappings/program.h"

namespace kiln::mappings::detail {

/// Which argument a value comes from, so that it can be told of another call with the same texts.
struct CallSource {
  static constexpr std::uint8_t kWhole = 0xFF;
  std::uint8_t argument = 0;         ///< from 1; 0: from no input
  std::uint8_t level = kWhole;       ///< Hl7Level of a part of the argument; kWhole: all of it
  std::uint8_t begin = 0, size = 0;  ///< of the part, from the begin of the argument
};

/// What a call says (Run::note). `code` is static.
struct CallNote {
  bool said = false, has_value = false;
  RunDiagnostic::Level level = RunDiagnostic::Level::note;
  CallSource source;
  std::string_view code, what, value;
};

/// Holds copies of its texts. Bounded: when it is full it takes no more, and renew() forgets everything. Not
/// thread-safe.
class CallMemory {
 public:
  static constexpr std::size_t kArgumentsMax = 4, kKeyMax = 200;

  struct Call {
    std::uint32_t function = 0;
    bool absent = false;      ///< the result is absent
    bool quoted = false;      ///< the result stands between quotes, ready to print (facts.h)
    CallSource source;        ///< of the result
    std::uint64_t steps = 0;  ///< what the call cost
    std::string_view key;     ///< of the arguments
    std::string_view result;
    /// Of an argument that is a part of the message: bit n: a leaf that begins at its byte n was read.
    std::array<std::uint64_t, kArgumentsMax> read{};
    CallNote note;
  };

  /// Valid, texts too, until the next keep() or clear(), its texts until the next clear() or renew(); nullptr
  /// when it is not known.
  const Call* find(std::uint32_t function, std::string_view key) const;
  /// Whether the call was asked for before: what is asked for once is not worth keeping.
  bool comes_again(std::uint32_t function, std::string_view key) {
    return asked_.comes_again(hash(function, key));
  }
  /// Longer texts are not kept.
  void keep(const Call& call);
  void clear();
  /// Between two runs: clear() when there is no room any more.
  void renew() {
    asked_.next_run();
    if (calls_.size() == kCallsMax) clear();
  }

 private:
  static constexpr std::size_t kCallsMax = 1024, kPlaces = 2048;

  static std::size_t hash(std::uint32_t function, std::string_view key);
  std::string_view quoted(std::string_view text);

  std::vector<Call> calls_;
  std::vector<std::uint16_t> places_;  ///< open-addressed: 1 + index in calls_; 0: free
  AskedBefore<1> asked_;
  Arena texts_;
};

}  // namespace kiln::mappings::detail
