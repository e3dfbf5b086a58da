// Whom a request comes from behind a proxy, and what a quota counts together.

#include <catch2/catch.hpp>

#include "engine/security/client_address.h"

namespace kiln::engine {
namespace {

ForwardedClient client(const std::string& peer, ProxyHeader header, std::vector<std::pair<std::string, std::string>> fields) {
  base::HttpRequest request;
  request.peer = peer;
  for (auto& [name, value] : fields) request.headers.add(name, value);
  return forwarded_client(request, header);
}

}  // namespace

TEST_CASE("a quota counts one IPv4 address, and one house of IPv6") {
  CHECK(quota_key("203.0.113.7:4711") == "203.0.113.7");
  CHECK(quota_key("203.0.113.7") == "203.0.113.7");
  CHECK(quota_key("[::ffff:203.0.113.7]:4711") == "203.0.113.7");
  CHECK(quota_key("[2001:db8:1:2:3:4:5:6]:4711") == quota_key("[2001:db8:1:2::1]"));
  CHECK(quota_key("2001:db8:1:2::9") == quota_key("[2001:db8:1:2::1]"));
  CHECK(quota_key("[2001:db8:1:2::1]:1") != quota_key("[2001:db8:1:3::1]:1"));
  CHECK(quota_key("[fe80::1%eth0]:1") == quota_key("[fe80::2]:1"));
  CHECK(quota_key("local") == "local");
}

TEST_CASE("a proxy is believed when it is configured and on this machine") {
  constexpr ProxyHeader kFor = ProxyHeader::x_forwarded_for, kForwarded = ProxyHeader::forwarded;
  const std::string here = "127.0.0.1:5000";
  CHECK(client(here, ProxyHeader::none, {{"X-Forwarded-For", "203.0.113.7"}}).address.empty());
  CHECK(client("10.0.0.9:5000", kFor, {{"X-Forwarded-For", "203.0.113.7"}}).address.empty());
  CHECK(client(here, kFor, {}).address.empty());
  CHECK(client(here, kFor, {{"X-Forwarded-For", "203.0.113.7"}}).address == "203.0.113.7");
  CHECK(client("[::1]:5000", kFor, {{"x-forwarded-for", "2001:DB8::7"}}).address == "[2001:db8::7]");
  CHECK(client(here, kFor, {{"X-Forwarded-For", "203.0.113.7:4711"}}).address == "203.0.113.7");
  // What a client wrote itself comes before what the proxy wrote, in one field or in two.
  CHECK(client(here, kFor, {{"X-Forwarded-For", "1.1.1.1, 203.0.113.7"}}).address == "203.0.113.7");
  CHECK(client(here, kFor, {{"X-Forwarded-For", "1.1.1.1"}, {"X-Forwarded-For", "203.0.113.7"}}).address == "203.0.113.7");
  CHECK(client(here, kFor, {{"X-Forwarded-For", "not an address"}}).address.empty());
  CHECK(client(here, kFor, {{"X-Forwarded-For", ","}}).address.empty());
  // The other header is the client's own.
  CHECK(client(here, kFor, {{"Forwarded", "for=203.0.113.7"}}).address.empty());
  CHECK(client(here, kForwarded, {{"X-Forwarded-For", "203.0.113.7"}}).address.empty());
  CHECK(client(here, kForwarded, {{"Forwarded", "for=1.1.1.1;proto=https, For=\"[2001:db8::7]:4711\";by=10.0.0.1"}}).address == "[2001:db8::7]");
  CHECK_FALSE(client(here, kForwarded, {{"Forwarded", "for=1.1.1.1;proto=https, for=203.0.113.7"}}).encrypted);
  CHECK(client(here, kForwarded, {{"Forwarded", "for=203.0.113.7;proto=HTTPS"}}).encrypted);
  CHECK(client(here, kFor, {{"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-Proto", "https"}}).encrypted);
  CHECK_FALSE(client(here, kFor, {{"X-Forwarded-Proto", "https"}}).encrypted);
  CHECK_FALSE(client("10.0.0.9:5000", kFor, {{"X-Forwarded-For", "203.0.113.7"}, {"X-Forwarded-Proto", "https"}}).encrypted);
}

}  // namespace kiln::engine
