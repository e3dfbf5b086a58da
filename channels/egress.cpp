#include "channels/egress.h"

#include <algorithm>

#include "channels/net/http_client.h"
#include "engine/base/text.h"

namespace kiln::channels {

namespace {

void add_url(const OptionValue& value, std::vector<Remote>& out) {
  const auto url = HttpUrl::parse(value.text);
  if (url) out.push_back({url->host, std::to_string(url->port), value.span});
}

/// "mail.example.org:587"
void add_address(const OptionValue& value, std::vector<Remote>& out) {
  const std::size_t colon = value.text.rfind(':');
  if (colon == std::string::npos) return;
  std::string host = value.text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  out.push_back({std::move(host), value.text.substr(colon + 1), value.span});
}

void add_value(const Options& options, const std::string& name, const OptionValue& value, std::vector<Remote>& out) {
  if (name == "url" || name == "token_url" || name == "webhook") add_url(value, out);
  if (name == "smtp") add_address(value, out);
  const OptionValue* port = find_field(options.fields(), "port") == nullptr ? nullptr : options.find("port");
  if (name == "host" && port != nullptr && port->resolved)
    out.push_back({value.text, std::to_string(port->number), value.span});
}

}  // namespace

std::vector<Remote> remotes_of(const Options& options) {
  std::vector<Remote> out;
  for (const auto& [name, values] : options.values())
    for (const OptionValue& value : values) {
      if (value.resolved && !value.text.empty()) add_value(options, name, value, out);
      for (const Options& block : value.block)
        for (Remote& remote : remotes_of(block)) out.push_back(std::move(remote));
    }
  return out;
}

bool matches_remote(std::string_view pattern, const Remote& remote) {
  const std::size_t colon = pattern.rfind(':');
  if (colon == pattern.npos) return false;
  const std::string_view port = pattern.substr(colon + 1);
  if (port != "*" && port != remote.port) return false;
  std::string host = base::lower_ascii(pattern.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string wanted = base::lower_ascii(remote.host);
  if (!host.starts_with("*.")) return host == wanted;
  return wanted.size() > host.size() - 1 && wanted.ends_with(host.substr(1));
}

bool allows(const Options& server, const Remote& remote) {
  if (!server.has("egress")) return true;
  const auto* patterns = server.block("egress").all("allow");
  return patterns != nullptr && std::any_of(patterns->begin(), patterns->end(), [&](const OptionValue& pattern) {
           return matches_remote(pattern.text, remote);
         });
}

base::Status check_egress(const Options& server, const Options& options) {
  for (const Remote& remote : remotes_of(options))
    if (!allows(server, remote))
      return base::fail(base::ErrorCode::egress_denied, {}, remote.host + ":" + remote.port,
                        "kiln.conf: egress { allow \"" + remote.host + ":" + remote.port + "\" }");
  return {};
}

}  // namespace kiln::channels
