#include "channels/detail/exposure.h"

#include "channels/connectors/detail/common.h"
#include "channels/net/http_client.h"

namespace kiln::channels::detail {

using base::ErrorCode;

namespace {

/// An address that is known, and is not this machine's.
bool is_open(const OptionValue* address) {
  return address != nullptr && address->resolved && !address->text.empty() &&
         !is_this_machine(std::string_view(address->text).substr(0, address->text.rfind(':')));
}

std::optional<Exposure> of_http(const Options& server) {
  const Options& http = server.block("http");
  const OptionValue* listen = http.find("listen");
  if (!is_open(listen) || http.has("insecure")) return std::nullopt;
  if (!http.has("tls"))
    return Exposure{ErrorCode::E0911, listen->span, "plaintext listener on a non-loopback address",
                    "`tls { … }` or `insecure accept_risk`"};
  if (!server.block("fhir").block("access").has("user"))
    return Exposure{ErrorCode::E0911, listen->span, "the FHIR server is open beyond this machine, without users",
                    "`fhir { access { user NAME { … } } }` or `insecure accept_risk`"};
  return std::nullopt;
}

/// People's passwords go there: beyond loopback only encrypted, without exception.
std::optional<Exposure> of_console(const Options& server) {
  if (!server.has("console")) return std::nullopt;
  const Options& console = server.block("console");
  const OptionValue* listen = console.find("listen");
  if (!is_open(listen) || console.has("tls")) return std::nullopt;
  return Exposure{ErrorCode::E0911, listen->span, "plaintext console on a non-loopback address",
                  "`console { tls { cert file(\"…\"); key file(\"…\") } }`"};
}

/// Names and figures of channels are served there without login.
std::optional<Exposure> of_health(const Options& server) {
  const Options& health = server.block("health");
  const OptionValue* listen = health.find("listen");
  if (!is_open(listen) || health.has("insecure")) return std::nullopt;
  return Exposure{ErrorCode::E0911, listen->span, "health and metrics are open beyond this machine, without login",
                  "listen on 127.0.0.1, or `insecure accept_risk`"};
}

/// What a route shows to a webhook or a mail server is a secret.
std::optional<Exposure> of_route(const Options& route) {
  if (route.has("insecure")) return std::nullopt;
  const OptionValue* webhook = route.find("webhook");
  if (webhook != nullptr && webhook->resolved && route.has("authorization")) {
    const auto url = HttpUrl::parse(webhook->text);
    if (url && !url->https && !is_this_machine(url->host))
      return Exposure{ErrorCode::E0910, webhook->span, "`authorization` is not sent without encryption",
                      "https://…, or `insecure accept_risk`"};
  }
  const OptionValue* smtp = route.find("smtp");
  if (route.has("password") && route.text("security") == "none" && is_open(smtp))
    return Exposure{ErrorCode::E0910, smtp->span, "a password is not sent without encryption",
                    "security starttls, or `insecure accept_risk`"};
  return std::nullopt;
}

std::optional<Exposure> of_traces(const Options& trace) {
  const OptionValue* address = trace.find("url");
  if (address == nullptr || !address->resolved || !trace.has("authorization") || trace.has("insecure")) return std::nullopt;
  const auto url = HttpUrl::parse(address->text);
  if (!url || url->https || is_this_machine(url->host)) return std::nullopt;
  return Exposure{ErrorCode::E0910, address->span, "`authorization` is not sent without encryption",
                  "https://…, or `insecure accept_risk`"};
}

}  // namespace

std::vector<Exposure> find_exposures(const Options& server) {
  std::vector<Exposure> out;
  const auto add = [&out](std::optional<Exposure> one) {
    if (one) out.push_back(std::move(*one));
  };
  add(of_console(server));
  add(of_http(server));
  add(of_health(server));
  if (server.has("trace")) add(of_traces(server.block("trace")));
  if (const auto* routes = server.all("notify"))
    for (const OptionValue& route : *routes) add(of_route(route.block.front()));
  return out;
}

std::optional<Exposure> find_exposure(const ChannelDefinition& channel) {
  const Options& options = channel.source_options;
  if (channel.source == nullptr || find_field(options.fields(), "bind") == nullptr) return std::nullopt;
  const OptionValue* bind = options.find("bind");
  if (bind == nullptr || !bind->resolved || is_this_machine(bind->text) || options.has("tls") || options.has("insecure"))
    return std::nullopt;
  return Exposure{ErrorCode::E0911, bind->span, "plaintext listener on a non-loopback address",
                  "`tls { … }` or `insecure accept_risk`"};
}

}  // namespace kiln::channels::detail
