#pragma once
// Time as a seam (architecture.md §5): nothing else asks the system for the time.

#include <chrono>
#include <cstdint>

namespace kiln::base {

/// Microseconds since 1970-01-01T00:00Z. Shown and stamped; never used for order or timers (reliability.md R15).
struct WallTime {
  std::int64_t micros = 0;
  auto operator<=>(const WallTime&) const = default;
};
/// Monotonic time since an arbitrary start. Used for timers.
using MonoTime = std::chrono::nanoseconds;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonoTime mono() const = 0;
};

/// The operating system's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  WallTime wall() const override;
  MonoTime mono() const override;
};

/// Moves only when told; for tests and for the tester of `kiln test`.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime wall = {}) : wall_(wall) {}
  WallTime wall() const override { return wall_; }
  MonoTime mono() const override { return mono_; }
  void advance(std::chrono::nanoseconds by) { mono_ += by; wall_.micros += by.count() / 1000; }
  void set_wall(WallTime wall) { wall_ = wall; }

 private:
  WallTime wall_;
  MonoTime mono_{0};
};

}  // namespace kiln::base
