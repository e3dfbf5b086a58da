#pragma once
// Virtual time: an executor whose timers fire when nothing else is left to do, moving a ManualClock. For `kiln test` and
// the simulation. One thread.

#include <deque>
#include <map>

#include "engine/base/clock.h"
#include "engine/base/executor.h"

namespace kiln::base {

class VirtualExecutor final : public TimerExecutor {
 public:
  /// `clock` is moved forward by timers; it outlives this object.
  explicit VirtualExecutor(ManualClock& clock) : clock_(clock) {}
  void post(Work work) override { ready_.push_back(std::move(work)); }
  TimerId post_after(std::chrono::nanoseconds delay, Work work) override;
  bool cancel(TimerId timer) override;

  /// Runs everything, jumping to the next timer whenever nothing is ready, until nothing is left or `horizon` of virtual
  /// time has passed since the call.
  void run(std::chrono::nanoseconds horizon);
  /// Runs what is ready without moving the clock.
  void run_ready();
  bool idle() const { return ready_.empty() && timers_.empty(); }

 private:
  ManualClock& clock_;
  std::deque<Work> ready_;
  std::map<std::pair<MonoTime, TimerId>, Work> timers_;
  TimerId next_ = 1;
};

}  // namespace kiln::base
