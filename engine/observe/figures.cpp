#include "engine/observe/figures.h"

#include <cmath>

#include "engine/limits.h"

namespace kiln::engine {
namespace {

constexpr std::size_t kWindowSteps = 30;
constexpr std::size_t kStepsAMinute = 60 / ChannelHistory::kStepSeconds;

Latency latency(const base::HistogramCounts& counts) {
  constexpr double kMicrosAMilli = 1'000;
  return {counts.quantile(base::MetricKind::seconds, 0.5) / kMicrosAMilli,
          counts.quantile(base::MetricKind::seconds, 0.99) / kMicrosAMilli};
}

void decay(double& average, double now, double minutes) {
  constexpr double kSecondsAMinute = 60;
  const double weight = std::exp(-static_cast<double>(ChannelHistory::kStepSeconds) / (minutes * kSecondsAMinute));
  average = average * weight + now * (1 - weight);
}

template <class Points>
void keep(Points& points, HistoryPoint point, std::size_t most) {
  points.push_back(point);
  if (points.size() > most) points.pop_front();
}

}  // namespace

void ChannelHistory::add(Totals totals) {
  // A channel that a reload made anew counts from 0 again.
  if (!window_.empty() && (totals.received < window_.back().received || totals.sent < window_.back().sent)) window_.clear();
  const Totals none;
  const Totals& before = window_.empty() ? none : window_.back();
  HistoryPoint point;
  point.received = static_cast<float>(totals.received - before.received);
  point.sent = static_cast<float>(totals.sent - before.sent);
  point.pending = static_cast<float>(totals.pending);
  const Latency step = latency(totals.processing - before.processing);
  point.p50 = static_cast<float>(step.p50);
  point.p99 = static_cast<float>(step.p99);
  const double rate = static_cast<double>(point.received) / kStepSeconds;
  decay(figures_.received.m1, rate, 1);
  decay(figures_.received.m5, rate, 5);
  decay(figures_.received.m15, rate, 15);
  keep(fine_, point, limits::kHistoryFineMax);
  if (steps_++ % kStepsAMinute == 0 || coarse_.empty()) {
    keep(coarse_, point, limits::kHistoryCoarseMax);
  } else {
    HistoryPoint& minute = coarse_.back();
    minute.received += point.received;
    minute.sent += point.sent;
    minute.pending = point.pending;
    minute.p50 = std::max(minute.p50, point.p50);
    minute.p99 = std::max(minute.p99, point.p99);
  }
  const Totals& oldest = window_.empty() ? none : window_.front();
  figures_.processing = latency(totals.processing - oldest.processing);
  for (const auto& [name, counts] : totals.delivery) {
    const auto earlier = oldest.delivery.find(name);
    figures_.delivery[name] = latency(earlier == oldest.delivery.end() ? counts : counts - earlier->second);
  }
  window_.push_back(std::move(totals));
  if (window_.size() > kWindowSteps) window_.pop_front();
}

}  // namespace kiln::engine
