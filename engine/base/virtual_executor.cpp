#include "engine/base/virtual_executor.h"

#include <algorithm>

namespace kiln::base {

TimerId VirtualExecutor::post_after(std::chrono::nanoseconds delay, Work work) {
  const TimerId id = next_++;
  timers_.emplace(std::pair(clock_.mono() + std::max(delay, std::chrono::nanoseconds(0)), id), std::move(work));
  return id;
}

bool VirtualExecutor::cancel(TimerId timer) {
  const auto at = std::find_if(timers_.begin(), timers_.end(), [timer](const auto& entry) { return entry.first.second == timer; });
  if (at == timers_.end()) return false;
  timers_.erase(at);
  return true;
}

void VirtualExecutor::run_ready() {
  while (!ready_.empty()) {
    Work work = std::move(ready_.front());
    ready_.pop_front();
    work();
  }
}

void VirtualExecutor::run(std::chrono::nanoseconds horizon) {
  const MonoTime end = clock_.mono() + horizon;
  for (;;) {
    run_ready();
    if (timers_.empty() || timers_.begin()->first.first > end) return;
    auto node = timers_.extract(timers_.begin());
    if (node.key().first > clock_.mono()) clock_.advance(node.key().first - clock_.mono());
    node.mapped()();
  }
}

}  // namespace kiln::base
