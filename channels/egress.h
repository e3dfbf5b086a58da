#pragma once
// `egress { allow "pas.example.org:2600" }`: where a site may connect to (security.md D14). Hosts of
// channels, alerts and traces are part of the definition, redirects are not followed and no message names a host, so these
// are checked once, at load and again when env() is filled in. Endpoints of subscriptions come with the subscription.

#include <string>
#include <string_view>
#include <vector>

#include "channels/options.h"
#include "engine/base/result.h"

namespace kiln::channels {

/// A host that options name: `host` with `port`, or a URL.
struct Remote {
  std::string host, port;  ///< without brackets; the port as digits
  base::Span span;
};
/// Of these options and the blocks in them; those whose value is not known yet are left out.
std::vector<Remote> remotes_of(const Options& options);

/// "host:port", "*.example.org:443" (every name below), "host:*". A host is compared without regard to case.
bool matches_remote(std::string_view pattern, const Remote& remote);
/// An empty block allows nothing; no block allows everything.
bool allows(const Options& server, const Remote& remote);
/// Errors: egress_denied with the host.
base::Status check_egress(const Options& server, const Options& options);

}  // namespace kiln::channels
