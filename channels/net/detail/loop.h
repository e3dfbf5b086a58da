#pragma once
// Private to channels/net: the event loop behind Net, and how a coroutine waits for an Asio callback.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <coroutine>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>

#include "engine/base/executor.h"

namespace kiln::channels::detail {

namespace asio = boost::asio;

/// The io_context as TimerExecutor.
class Loop final : public base::TimerExecutor {
 public:
  void post(base::Work work) override { asio::post(context, std::move(work)); }
  base::TimerId post_after(std::chrono::nanoseconds delay, base::Work work) override;
  bool cancel(base::TimerId timer) override { return timers_.erase(timer) != 0; }

  asio::io_context context{1};

 private:
  std::unordered_map<base::TimerId, std::unique_ptr<asio::steady_timer>> timers_;
  base::TimerId last_timer_ = 0;
};

/// A value that a callback on the loop delivers to one waiting coroutine, which goes on inside that callback. The first
/// value counts. Copies share one state, which lives as long as the coroutine or a callback that may come late.
template <class Value>
class Arrival {
 public:
  void deliver(Value value) const {
    if (state_->value) return;
    state_->value.emplace(std::move(value));
    if (state_->waiter) std::exchange(state_->waiter, nullptr).resume();
  }
  bool await_ready() const { return state_->value.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) const { state_->waiter = waiter; }
  Value await_resume() const { return std::move(*state_->value); }

 private:
  struct State {
    std::optional<Value> value;
    std::coroutine_handle<> waiter;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace kiln::channels::detail
