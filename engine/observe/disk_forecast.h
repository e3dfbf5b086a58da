#pragma once
// When the disk will be full, by how the journal grew (operations.md §10).

#include <deque>
#include <optional>

#include "engine/base/clock.h"

namespace kiln::engine {

/// One thread. Keeps a sample an hour of the last 14 days, and the newest.
class DiskForecast {
 public:
  void add(base::MonoTime at, double bytes) {
    constexpr std::size_t kSamplesMax = 14 * 24;
    newest_ = {at, bytes};
    if (!samples_.empty() && at - samples_.back().at < std::chrono::hours(1)) return;
    samples_.push_back(newest_);
    if (samples_.size() > kSamplesMax) samples_.pop_front();
  }
  /// Nothing while it does not grow, or was watched for less than ten minutes.
  std::optional<double> seconds_until(double free_bytes) const {
    if (samples_.empty() || newest_.at - samples_.front().at < std::chrono::minutes(10)) return std::nullopt;
    const double grown = newest_.bytes - samples_.front().bytes;
    if (grown <= 0) return std::nullopt;
    return free_bytes / grown * std::chrono::duration<double>(newest_.at - samples_.front().at).count();
  }

 private:
  struct Sample {
    base::MonoTime at{0};
    double bytes = 0;
  };
  std::deque<Sample> samples_;
  Sample newest_;
};

}  // namespace kiln::engine
