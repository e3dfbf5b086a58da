#pragma once
// Ids the server gives: time-ordered, so that new rows land at the end of every index (fhir.md S1).

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/random.h"

namespace kiln::fhir {

/// 26 characters of Crockford base 32 in lower case: 48 bits of milliseconds, 80 random bits. Within one
/// source each id is greater than the one before, also when the clock stands still or goes back. Not
/// thread-safe.
class IdSource {
 public:
  /// Borrows both; they must outlive the source.
  IdSource(const base::Clock& clock, base::Random& random) : clock_(&clock), random_(&random) {}
  std::string next();

 private:
  const base::Clock* clock_;
  base::Random* random_;
  std::uint64_t millis_ = 0, high_ = 0, low_ = 0;  ///< high_: 16 random bits, low_: 64
};

}  // namespace kiln::fhir
