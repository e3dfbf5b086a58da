#include "engine/security/loopback_access.h"

namespace kiln::engine {

bool is_loopback(std::string_view peer) {
  if (peer.starts_with("[::ffff:")) peer.remove_prefix(8);  // IPv4 seen through an IPv6 socket
  return peer == "local" || peer.starts_with("127.") || peer == "::1" || peer.starts_with("[::1]");
}

bool LoopbackAccess::allow(const fhir::Principal& principal, std::string_view, std::string_view,
                           std::string_view) const {
  return principal.loopback;
}

}  // namespace kiln::engine
