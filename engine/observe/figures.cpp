#include "engine/observe/figures.h"

namespace kiln::engine {

void LatencyWindow::add(const base::HistogramCounts& counts) {
  constexpr double kMicrosAMilli = 1'000;
  const base::HistogramCounts recent = counts - (window_.empty() ? base::HistogramCounts() : window_.front());
  latency_ = {recent.quantile(base::MetricKind::seconds, 0.5) / kMicrosAMilli,
              recent.quantile(base::MetricKind::seconds, 0.99) / kMicrosAMilli};
  window_.push_back(counts);
  if (window_.size() > kSteps) window_.pop_front();
}

}  // namespace kiln::engine
