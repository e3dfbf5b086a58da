#include "engine/read_pool.h"

#include <algorithm>
#include <utility>

namespace kiln::engine {

namespace {

constexpr std::size_t kPoint = 0, kSearch = 1;

}  // namespace

ReadPool::ReadPool(std::vector<Reader> readers)
    : readers_(std::move(readers)), searches_max_(std::max<std::size_t>(readers_.size(), 2) - 1) {
  for (std::size_t i = readers_.size(); i > 0; --i) idle_.push_back(i - 1);
}

std::optional<ReadPool::Lane> ReadPool::next_lane() const {
  const auto &points = waiting_[kPoint], &searches = waiting_[kSearch];
  const bool may_search = !searches.empty() && searching_ < searches_max_;
  if (points.empty()) return may_search ? std::optional(Lane::search) : std::nullopt;
  return may_search && searches.front().number < points.front().number ? Lane::search : Lane::point;
}

void ReadPool::run(Work work, Lane lane) {
  std::size_t reader = 0;
  {
    const std::lock_guard lock(mutex_);
    waiting_[static_cast<std::size_t>(lane)].push_back({std::move(work), ++numbers_});
    if (idle_.empty() || !next_lane()) return;
    reader = idle_.back();  // its pages are the warmest
    idle_.pop_back();
  }
  readers_[reader].executor->post([this, reader] { serve(reader); });
}

void ReadPool::serve(std::size_t reader) {
  std::optional<Lane> lane;
  for (;;) {
    Work work;
    {
      const std::lock_guard lock(mutex_);
      if (lane == Lane::search) --searching_;
      lane = next_lane();
      if (!lane) {
        idle_.push_back(reader);
        return;
      }
      if (lane == Lane::search) ++searching_;
      auto& waiting = waiting_[static_cast<std::size_t>(*lane)];
      work = std::move(waiting.front().work);
      waiting.pop_front();
    }
    work(*readers_[reader].store);
  }
}

}  // namespace kiln::engine
