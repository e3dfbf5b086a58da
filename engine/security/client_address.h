#pragma once
// Whom a request comes from, where a proxy of this machine stands before the console.

#include <string>
#include <string_view>

#include "channels/options.h"
#include "engine/base/http_message.h"

namespace kiln::engine {

/// `console { proxy … }`: in which header the proxy of this machine writes its client.
enum class ProxyHeader : std::uint8_t { none, x_forwarded_for, forwarded };
/// Of a `console` block that was checked.
ProxyHeader proxy_header(const channels::Options& console);

struct ForwardedClient {
  std::string address;  ///< as the request's peer is written: "203.0.113.7" or "[2001:db8::1]"; empty: the peer itself asks
  bool encrypted = false;  ///< between it and the proxy
};
/// What the proxy says of its client: the last entry, which it wrote itself; what comes before may be anybody's. Nothing when the
/// peer is not this machine, when no proxy is configured, or when the entry is no IP address.
ForwardedClient forwarded_client(const base::HttpRequest& request, ProxyHeader header);

/// What a quota counts together: an IPv4 address, also when it is written as an IPv6 one; of an IPv6 address its /64, which is one
/// household's. Takes a peer with or without port; what is no address is its own.
std::string quota_key(std::string_view peer);

}  // namespace kiln::engine
