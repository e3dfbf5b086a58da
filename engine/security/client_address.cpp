#include "engine/security/client_address.h"

#include <arpa/inet.h>

#include <cstring>
#include <optional>

#include "engine/base/text.h"
#include "engine/security/site_access.h"

namespace kiln::engine {
namespace {

/// 4 or 16 bytes; an IPv4 address in an IPv6 one is an IPv4 address.
std::optional<std::string> bytes_of(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  host = host.substr(0, host.find('%'));  // a zone is this machine's own
  const std::string text(host);
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) == 1) return std::string(reinterpret_cast<const char*>(&four), sizeof four);
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.c_str(), &six) != 1) return std::nullopt;
  if (IN6_IS_ADDR_V4MAPPED(&six) != 0) return std::string(reinterpret_cast<const char*>(&six) + 12, 4);
  return std::string(reinterpret_cast<const char*>(&six), sizeof six);
}

std::string print(const std::string& bytes) {
  char text[INET6_ADDRSTRLEN] = {};
  const bool four = bytes.size() == sizeof(in_addr);
  ::inet_ntop(four ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return four ? std::string(text) : "[" + std::string(text) + "]";
}

/// "203.0.113.7", "203.0.113.7:4711", "2001:db8::1", "[2001:db8::1]:4711", any of them quoted.
std::string address_of(std::string_view text) {
  text = base::trim(text);
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) text = text.substr(1, text.size() - 2);
  auto bytes = bytes_of(text);
  if (!bytes) bytes = bytes_of(host_of(text));
  return bytes ? print(*bytes) : std::string();
}

/// The last entry of the last field of that name: some proxies add a field of their own behind the one a client sent.
std::string_view last_entry(const base::HttpRequest& request, std::string_view name) {
  std::string_view list;
  for (const auto& [field, value] : request.headers.list())
    if (base::lower_ascii(field) == name) list = value;
  return base::trim(list.substr(list.rfind(',') + 1));  // npos + 1 is the beginning
}

/// for=…;proto=…
ForwardedClient read_forwarded(std::string_view entry) {
  ForwardedClient out;
  for (const std::string_view part : base::split(entry, ';')) {
    const std::string_view pair = base::trim(part);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name = base::lower_ascii(pair.substr(0, equals));
    if (name == "for") out.address = address_of(pair.substr(equals + 1));
    if (name == "proto") out.encrypted = base::lower_ascii(pair.substr(equals + 1)) == "https";
  }
  return out;
}

}  // namespace

ProxyHeader proxy_header(const channels::Options& console) {
  if (!console.has("proxy")) return ProxyHeader::none;
  return console.text("proxy") == "forwarded" ? ProxyHeader::forwarded : ProxyHeader::x_forwarded_for;
}

ForwardedClient forwarded_client(const base::HttpRequest& request, ProxyHeader header) {
  if (header == ProxyHeader::none || !is_loopback(request.peer)) return {};
  ForwardedClient out;
  if (header == ProxyHeader::forwarded) {
    out = read_forwarded(last_entry(request, "forwarded"));
  } else {
    out.address = address_of(last_entry(request, "x-forwarded-for"));
    out.encrypted = base::lower_ascii(last_entry(request, "x-forwarded-proto")) == "https";
  }
  return out.address.empty() ? ForwardedClient() : out;
}

std::string quota_key(std::string_view peer) {
  constexpr std::size_t kHousehold = 8;
  auto bytes = bytes_of(peer);
  if (!bytes) bytes = bytes_of(host_of(peer));
  if (!bytes) return std::string(host_of(peer));
  if (bytes->size() == sizeof(in_addr)) return print(*bytes);
  std::memset(bytes->data() + kHousehold, 0, bytes->size() - kHousehold);
  return print(*bytes) + "/64";
}

}  // namespace kiln::engine
