#include "engine/base/task.h"

#include <algorithm>

namespace kiln::base {

detail::Detached detail::run_detached(Task<void> task) { co_await std::move(task); }

void spawn(Task<void> task) { detail::run_detached(std::move(task)); }

struct Event::Waiter {
  std::coroutine_handle<> handle;
  TimerId timer = 0;
  bool has_timer = false;
  bool notified = false;
};

Event::~Event() { notify(); }

void Event::notify() {
  auto woken = std::exchange(waiters_, {});
  for (const auto& waiter : woken) {
    if (waiter->has_timer) executor_.cancel(waiter->timer);
    waiter->notified = true;
    executor_.post([waiter] { waiter->handle.resume(); });
  }
}

void Event::WaitAwaiter::await_suspend(std::coroutine_handle<> handle) {
  waiter = std::make_shared<Waiter>();
  waiter->handle = handle;
  event->waiters_.push_back(waiter);
  if (delay.count() < 0) return;
  waiter->has_timer = true;
  auto fire = [owner = event, w = waiter] {
    auto& list = owner->waiters_;
    list.erase(std::find(list.begin(), list.end(), w));
    w->handle.resume();
  };
  waiter->timer = event->executor_.post_after(delay, std::move(fire));
}

bool Event::WaitAwaiter::await_resume() const noexcept { return waiter->notified; }

}  // namespace kiln::base
