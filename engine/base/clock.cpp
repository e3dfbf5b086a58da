#include "engine/base/clock.h"

namespace kiln::base {

WallTime SystemClock::wall() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::microseconds>(now).count()};
}

MonoTime SystemClock::mono() const { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace kiln::base
