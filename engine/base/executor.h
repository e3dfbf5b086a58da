#pragma once
// Where work runs, as a seam. One Executor = one logical thread: work posted to it never runs concurrently with
// other work of the same executor, and runs in the order posted.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace kiln::base {

using Work = std::function<void()>;
using TimerId = std::uint64_t;

class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs `work` later on this executor. Callable from any thread. Work posted after stop is dropped.
  virtual void post(Work work) = 0;
};

/// An executor that also has timers; timers fire on the executor.
class TimerExecutor : public Executor {
 public:
  /// Runs `work` once after `delay` unless cancelled. Callable on this executor's thread only.
  virtual TimerId post_after(std::chrono::nanoseconds delay, Work work) = 0;
  /// True when the timer had not fired. Callable on this executor's thread only.
  virtual bool cancel(TimerId timer) = 0;
};

/// A thread of its own. The destructor runs what is queued, then joins.
class ThreadExecutor final : public Executor {
 public:
  /// `name` is at most 15 characters (shown by ps and gdb).
  explicit ThreadExecutor(const char* name);
  ~ThreadExecutor() override;
  void post(Work work) override;

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Work> queue_;
  bool stop_ = false;
  std::thread thread_;
};

/// Runs everything in the caller, at once, or at the outer call when nested. For the tester and simple tools.
class InlineExecutor final : public Executor {
 public:
  void post(Work work) override;

 private:
  std::deque<Work> queue_;
  bool running_ = false;
};

}  // namespace kiln::base
