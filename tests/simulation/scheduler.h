#pragma once
// One thread that runs all threads of an engine and the world around it, in an order that the seed chooses,
// on virtual time.

#include <deque>
#include <map>
#include <unordered_map>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/executor.h"
#include "tests/support/crash_disk.h"

namespace kiln::simulation {

using kiln::test::Chance;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class SimExecutor;

/// Which executor goes next is chance; what one executor was given runs in its order. Time passes only when
/// nothing can run.
class Scheduler {
 public:
  Scheduler(base::ManualClock& clock, Chance& chance) : clock_(clock), chance_(chance) {}

  /// An event of the world, not of a process.
  base::TimerId at(nanoseconds delay, base::Work work) { return add(nullptr, delay, std::move(work)); }
  bool cancel(base::TimerId timer);
  /// One piece of work, or the next moment at which there is one. False when nothing is left to come.
  bool step();
  base::MonoTime now() const { return clock_.mono(); }
  std::uint64_t steps() const { return steps_; }

 private:
  friend class SimExecutor;
  struct Timer {
    SimExecutor* owner;  ///< nullptr: the world
    base::Work work;
  };
  base::TimerId add(SimExecutor* owner, nanoseconds delay, base::Work work);
  void fire_first();

  base::ManualClock& clock_;
  Chance& chance_;
  std::vector<SimExecutor*> executors_;
  std::map<std::pair<base::MonoTime, base::TimerId>, Timer> timers_;
  std::unordered_map<base::TimerId, base::MonoTime> due_;
  base::TimerId next_ = 1;
  std::uint64_t steps_ = 0;
};

/// A thread of a simulated process. Each piece of work keeps it busy for a while. After die() nothing of it
/// runs again; what it was given is kept, because destroying it would run code of a process that is gone.
class SimExecutor final : public base::TimerExecutor {
 public:
  SimExecutor(Scheduler& scheduler, nanoseconds work_min, nanoseconds work_max);
  void post(base::Work work) override { ready_.push_back(std::move(work)); }
  base::TimerId post_after(nanoseconds delay, base::Work work) override {
    return scheduler_.add(this, delay, std::move(work));
  }
  bool cancel(base::TimerId timer) override { return scheduler_.cancel(timer); }
  void die();

 private:
  friend class Scheduler;
  Scheduler& scheduler_;
  nanoseconds work_min_, work_max_;
  std::deque<base::Work> ready_;
  base::MonoTime busy_until_{0};
  bool dead_ = false;
};

}  // namespace kiln::simulation
