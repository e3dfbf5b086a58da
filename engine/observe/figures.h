#pragma once
// What the dashboard shows of a channel beside its counters: rates, percentiles of the last minutes, the course of the last day.
// In memory, since the start.

#include <array>
#include <deque>
#include <map>
#include <string>

#include "engine/base/metrics.h"

namespace kiln::engine {

/// Messages a second, averaged as a load average is: over about 1, 5 and 15 minutes.
struct Rates {
  double m1 = 0, m5 = 0, m15 = 0;
};
/// Of the last five minutes, in milliseconds; 0: there was nothing.
struct Latency {
  double p50 = 0, p99 = 0;
};
struct ChannelFigures {
  Rates received;
  Latency processing;
  std::map<std::string, Latency, std::less<>> delivery;  ///< by destination
};

/// One point of a course.
struct HistoryPoint {
  float received = 0, sent = 0;  ///< in this step
  float pending = 0;             ///< at its end
  float p50 = 0, p99 = 0;        ///< ms, of the messages of this step
};

/// Of one channel. One thread.
class ChannelHistory {
 public:
  struct Totals {
    std::uint64_t received = 0, sent = 0, pending = 0;
    base::HistogramCounts processing;
    std::map<std::string, base::HistogramCounts> delivery;
  };
  static constexpr std::int64_t kStepSeconds = 10;

  /// Once every kStepSeconds.
  void add(Totals totals);
  const ChannelFigures& figures() const { return figures_; }
  const std::deque<HistoryPoint>& fine() const { return fine_; }      ///< kStepSeconds each, oldest first
  const std::deque<HistoryPoint>& coarse() const { return coarse_; }  ///< a minute each

 private:
  std::deque<Totals> window_;  ///< of the last five minutes, oldest first
  std::deque<HistoryPoint> fine_, coarse_;
  ChannelFigures figures_;
  std::size_t steps_ = 0;
};

}  // namespace kiln::engine
