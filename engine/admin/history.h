#pragma once
// The last hours of each channel in numbers, for rates and sparklines: sampled every ten seconds, kept an
// hour; by the minute a day. In memory, since the start.

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "engine/base/clock.h"

namespace kiln::engine {

/// Counters of a channel at one moment.
struct ChannelSample {
  std::uint64_t received = 0, sent = 0, pending = 0;
  std::int64_t p50_us = -1, p99_us = -1;  ///< from receipt to delivery; -1: nothing was sent
};

struct ChannelRates {
  double m1 = 0, m5 = 0, m15 = 0;  ///< messages received a second
};

class StatusHistory {
 public:
  static constexpr std::int64_t kStepSeconds = 10, kLongStepSeconds = 60;

  void add(base::WallTime at, const std::map<std::string, ChannelSample>& channels);
  /// Over as much of the time as there are samples.
  ChannelRates rates(const std::string& channel) const;
  /// {"step_seconds","from","channels":{NAME:{"received":[…],"sent":[…],"pending":[…],"p50":[…],"p99":[…]}}}:
  /// counts of each step, latencies in milliseconds or null. Of every channel when `channel` is empty.
  std::string print(const std::string& channel, std::int64_t minutes) const;

 private:
  struct Sample {
    base::WallTime at;
    std::map<std::string, ChannelSample> channels;
  };
  double rate(const std::string& channel, std::size_t steps) const;
  std::deque<Sample> short_, long_;
};

}  // namespace kiln::engine
