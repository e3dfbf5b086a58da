#pragma once
// The coroutine type of Kiln. Rules (architecture.md §4; tests/tidy greps for them): coroutines live only in
// channels/net, channels/connectors and engine/delivery; they are free or member functions, never lambdas; parameters
// are passed by value; no braces, lambda or ?: inside a co_await expression: name a value first, then move it.

#include <atomic>
#include <coroutine>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/base/executor.h"

namespace kiln::base {

template <class T>
class Task;

namespace detail {

/// Ends a task: resumes the awaiter when it is suspended. A child that ends before its awaiter has suspended only says
/// so, and the awaiter goes on by itself: a loop over tasks that never wait uses no stack, at any optimisation level
/// (symmetric transfer would, because g++ makes it a real call below -O2).
struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  void await_suspend(std::coroutine_handle<Promise> handle) const noexcept {
    auto& promise = handle.promise();
    if (promise.met.exchange(true)) promise.continuation.resume();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation;
  std::atomic<bool> met{false};  ///< set by whichever comes first: the end of the task, the suspension of its awaiter
  std::exception_ptr exception;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { exception = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object() noexcept;
  template <class U>
  void return_value(U&& result) { value.emplace(std::forward<U>(result)); }
  T take() {
    if (exception) std::rethrow_exception(exception);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() const {
    if (exception) std::rethrow_exception(exception);
  }
};

}  // namespace detail

/// A lazily started coroutine with one awaiter. Moves only. Destroying an unfinished Task destroys its frame.
template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiter) noexcept {
    handle_.promise().continuation = awaiter;
    handle_.resume();
    return !handle_.promise().met.exchange(true);
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

template <class T>
Task<T> detail::Promise<T>::get_return_object() noexcept {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> detail::Promise<void>::get_return_object() noexcept {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

namespace detail {
struct Detached {
  struct promise_type {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};
Detached run_detached(Task<void> task);
}  // namespace detail

/// Starts a task on the current thread and lets it run to its end. An exception that leaves it is a bug: terminate.
void spawn(Task<void> task);

/// A value that arrives once, from any thread; awaited by at most one coroutine, which resumes on `executor`.
/// Copies share one state. Setting it twice keeps the first value.
template <class T>
class Completion {
 public:
  explicit Completion(Executor& executor) : state_(std::make_shared<State>(executor)) {}

  void set(T value) const {
    std::coroutine_handle<> waiter;
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->value) return;
      state_->value.emplace(std::move(value));
      waiter = std::exchange(state_->waiter, nullptr);
    }
    if (waiter) state_->executor.post([waiter] { waiter.resume(); });
  }
  bool is_set() const {
    const std::lock_guard lock(state_->mutex);
    return state_->value.has_value();
  }

  auto operator co_await() const { return Awaiter{state_}; }

 private:
  struct State {
    explicit State(Executor& e) : executor(e) {}
    Executor& executor;
    std::mutex mutex;
    std::optional<T> value;
    std::coroutine_handle<> waiter;
  };
  struct Awaiter {
    std::shared_ptr<State> state;
    bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> handle) const {
      const std::lock_guard lock(state->mutex);
      if (state->value) return false;
      state->waiter = handle;
      return true;
    }
    T await_resume() const {
      const std::lock_guard lock(state->mutex);
      return std::move(*state->value);
    }
  };
  std::shared_ptr<State> state_;
};

/// A flag with a timed wait, all on one executor thread. Several coroutines may wait; notify() wakes all of them.
class Event {
 public:
  explicit Event(TimerExecutor& executor) : executor_(executor) {}
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Wakes every waiter; the event does not stay set.
  void notify();

  struct Waiter;
  /// co_await event.wait(delay): true when notified, false when the delay passed first.
  /// A negative delay waits without limit.
  struct WaitAwaiter {
    Event* event;
    std::chrono::nanoseconds delay;
    std::shared_ptr<Waiter> waiter;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle);
    bool await_resume() const noexcept;
  };
  WaitAwaiter wait(std::chrono::nanoseconds delay) { return WaitAwaiter{this, delay, nullptr}; }

 private:
  friend struct WaitAwaiter;
  TimerExecutor& executor_;
  std::deque<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace kiln::base
