#include "tests/simulation/scheduler.h"

#include <algorithm>

namespace kiln::simulation {

base::TimerId Scheduler::add(SimExecutor* owner, nanoseconds delay, base::Work work) {
  const base::TimerId id = next_++;
  const base::MonoTime when = clock_.mono() + std::max(delay, nanoseconds(0));
  timers_.emplace(std::pair(when, id), Timer{owner, std::move(work)});
  due_.emplace(id, when);
  return id;
}

bool Scheduler::cancel(base::TimerId timer) {
  const auto found = due_.find(timer);
  if (found == due_.end()) return false;
  timers_.erase({found->second, timer});  // or it waits for its turn
  due_.erase(found);
  return true;
}

void Scheduler::fire_first() {
  auto node = timers_.extract(timers_.begin());
  const base::TimerId id = node.key().second;
  Timer& timer = node.mapped();
  if (timer.owner == nullptr) {
    due_.erase(id);
    timer.work();
    return;
  }
  if (timer.owner->dead_) return;
  // It can be cancelled until it runs.
  timer.owner->ready_.push_back([this, id, work = std::move(timer.work)] {
    if (due_.erase(id) > 0) work();
  });
}

bool Scheduler::step() {
  for (;;) {
    std::vector<SimExecutor*> runnable;
    base::MonoTime next = base::MonoTime::max();
    for (SimExecutor* executor : executors_) {
      if (executor->ready_.empty()) continue;
      if (executor->busy_until_ <= clock_.mono())
        runnable.push_back(executor);
      else
        next = std::min(next, executor->busy_until_);
    }
    const bool due = !timers_.empty() && timers_.begin()->first.first <= clock_.mono();
    const std::size_t choices = runnable.size() + (due ? 1 : 0);
    if (choices > 0) {
      ++steps_;
      const std::size_t choice = chance_.below(choices);
      if (choice == runnable.size()) {
        fire_first();
        return true;
      }
      SimExecutor* executor = runnable[choice];
      base::Work work = std::move(executor->ready_.front());
      executor->ready_.pop_front();
      const auto range = static_cast<std::uint64_t>((executor->work_max_ - executor->work_min_).count());
      executor->busy_until_ = clock_.mono() + executor->work_min_ +
                              nanoseconds(static_cast<std::int64_t>(chance_.below(range + 1)));
      work();
      return true;
    }
    if (!timers_.empty()) next = std::min(next, timers_.begin()->first.first);
    if (next == base::MonoTime::max()) return false;
    clock_.advance(next - clock_.mono());
  }
}

SimExecutor::SimExecutor(Scheduler& scheduler, nanoseconds work_min, nanoseconds work_max)
    : scheduler_(scheduler), work_min_(work_min), work_max_(work_max) {
  scheduler_.executors_.push_back(this);
}

void SimExecutor::die() {
  dead_ = true;
  std::erase(scheduler_.executors_, this);
}

}  // namespace kiln::simulation
