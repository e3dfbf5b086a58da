#pragma once
// How many messages each channel usually gets at this hour of the week, for the alert RateDrop (operations.md §7).

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "engine/base/clock.h"
#include "engine/base/json.h"

namespace kiln::engine {

/// One thread.
class RateHistory {
 public:
  static constexpr std::int64_t kWeeks = 4;
  static constexpr std::chrono::minutes kWindow{30};
  /// Where so few come in half an hour, silence says nothing.
  static constexpr double kLeastExpected = 10;

  /// The counter of a channel as it stands; about every ten seconds. A smaller one than before began anew.
  void add(const std::string& channel, double total, base::WallTime wall, base::MonoTime mono);
  struct Rate {
    double got = 0;       ///< in the last half hour
    double expected = 0;  ///< then, by the medians of this hour of the week and of the one before, as long as it reaches into each
  };
  /// Nothing while it is not known: looked at for less than half an hour, or less than two such hours were seen, or few came in
  /// them.
  std::optional<Rate> rate(const std::string& channel, base::WallTime wall, base::MonoTime mono) const;

  void write(base::JsonWriter& json) const;
  void read(base::JsonView json);

 private:
  struct Sample {
    base::MonoTime at;
    double sum;  ///< messages since the first look
  };
  struct Channel {
    std::map<std::int64_t, double> hours;  ///< messages by hour since 1970
    std::deque<Sample> recent;             ///< one a minute
    std::optional<double> last;            ///< the counter
    double sum = 0;
  };
  static std::optional<double> median(const Channel& channel, std::int64_t hour);
  std::map<std::string, Channel> channels_;
};

}  // namespace kiln::engine
