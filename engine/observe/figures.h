#pragma once
// How long messages took of late, for the dashboard: percentiles over the last minutes of a histogram that counts since the start.

#include <deque>

#include "engine/base/metrics.h"

namespace kiln::engine {

/// Milliseconds; 0: there was nothing.
struct Latency {
  double p50 = 0, p99 = 0;
};

/// One thread.
class LatencyWindow {
 public:
  static constexpr std::size_t kSteps = 30;  ///< of 10 s: five minutes
  /// The counts of now; at regular times.
  void add(const base::HistogramCounts& counts);
  Latency latency() const { return latency_; }

 private:
  std::deque<base::HistogramCounts> window_;
  Latency latency_;
};

}  // namespace kiln::engine
