#include "engine/security/request_quota.h"

#include <algorithm>

namespace kiln::engine {

namespace {
constexpr std::size_t kClientsKept = 10'000;
}

/// A bucket that fills by per_second and holds `burst`.
bool RequestQuota::take(Client& client) {
  if (limits_.per_second <= 0) return true;
  const auto rate = static_cast<double>(limits_.per_second);
  const double most = limits_.burst > 0 ? static_cast<double>(limits_.burst) : rate;
  const base::MonoTime now = clock_.mono();
  const double passed = std::chrono::duration<double>(now - client.seen).count();
  client.allowance =
      client.seen == base::MonoTime{} ? most : std::min(most, client.allowance + passed * rate);
  client.seen = now;
  if (client.allowance < 1) return false;
  client.allowance -= 1;
  return true;
}

bool RequestQuota::enter(const std::string& client) {
  if (clients_.size() >= kClientsKept) forget_idle();
  Client& one = clients_[client];
  if (under_way_ >= limits_.under_way || one.under_way >= limits_.under_way_per_client || !take(one)) {
    ++refused_;
    return false;
  }
  ++one.under_way;
  ++under_way_;
  return true;
}

void RequestQuota::leave(const std::string& client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  --found->second.under_way;
  --under_way_;
  if (found->second.under_way == 0 && limits_.per_second <= 0) clients_.erase(found);
}

void RequestQuota::forget_idle() {
  const base::MonoTime now = clock_.mono();
  // Whoever was quiet for so long has all of its allowance again.
  const std::int64_t full = limits_.burst > 0 && limits_.per_second > 0 ? limits_.burst / limits_.per_second + 1 : 2;
  std::erase_if(clients_, [&](const auto& entry) {
    return entry.second.under_way == 0 && now - entry.second.seen > std::chrono::seconds(full);
  });
}

}  // namespace kiln::engine
