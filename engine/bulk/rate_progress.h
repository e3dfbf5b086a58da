#pragma once
// Progress of long work on stderr: a line that is overwritten on a terminal, a line now and then when piped.

#include <cstdint>
#include <string>

#include "engine/base/clock.h"

namespace kiln::engine {

class RateProgress {
 public:
  /// `what`: "imported". A quiet one shows nothing.
  RateProgress(std::string what, const base::Clock& clock, bool quiet);
  ~RateProgress();

  /// `done` things so far; `part` of `whole` (any unit) tells how much is left; `whole` 0: nobody knows.
  void step(std::uint64_t done, std::uint64_t part, std::uint64_t whole);
  /// Clears the line, so that something else can be printed.
  void clear();
  double seconds() const;

  /// "12,345 imported, 45 %, 1,234/s, 00:01:23 left": also for tests.
  static std::string text(const std::string& what, double seconds, std::uint64_t done, double fraction);

 private:
  std::string what_;
  const base::Clock& clock_;
  bool quiet_, terminal_, shown_ = false;
  base::MonoTime begin_, last_;
  std::uint64_t first_part_ = 0;
  bool begun_ = false;
};

/// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number);

}  // namespace kiln::engine
