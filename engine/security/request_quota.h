#pragma once
// How many requests of the FHIR API may be under way, in all and of one client, and how many a second one
// client may send (security.md D6).

#include <cstdint>
#include <string>
#include <unordered_map>

#include "engine/base/clock.h"
#include "engine/base/limits.h"

namespace kiln::engine {

struct QuotaLimits {
  std::size_t under_way = base::limits::kFhirQueuedMax;
  std::size_t under_way_per_client = base::limits::kFhirQueuedPerClientMax;
  std::int64_t per_second = 0;  ///< of one client, averaged over a second; 0: any number
  std::int64_t burst = 0;       ///< what a client that was quiet may send at once; 0: a second's worth
};

/// Used on one thread. A client is a user, or an address.
class RequestQuota {
 public:
  RequestQuota(QuotaLimits limits, const base::Clock& clock) : limits_(limits), clock_(clock) {}
  /// False: one more is too many, and nothing is counted. Else leave() must follow.
  bool enter(const std::string& client);
  void leave(const std::string& client);
  std::uint64_t refused() const { return refused_; }

 private:
  struct Client {
    std::size_t under_way = 0;
    double allowance = 0;  ///< requests it may still send now
    base::MonoTime seen{};
  };
  bool take(Client& client);
  void forget_idle();

  QuotaLimits limits_;
  const base::Clock& clock_;
  std::unordered_map<std::string, Client> clients_;
  std::size_t under_way_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace kiln::engine
