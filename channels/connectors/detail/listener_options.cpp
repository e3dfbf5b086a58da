#include "channels/connectors/detail/listener_options.h"

#include "channels/tls_settings.h"

namespace kiln::channels::detail {

base::Result<HttpListen> listen_as_asked(const Options& options, const Surroundings& around) {
  const std::string host = options.text("bind");
  const auto port = static_cast<std::uint16_t>(options.number("port"));
  base::Network* network = &around.network;
  if (!options.has("tls"))
    return HttpListen([network, host, port](base::Network::OnAccept on_accept) {
      return network->listen(host, port, std::move(on_accept));
    });
  TRY(const auto settings, TlsSettings::listener(options.block("tls"), around.env, around.clock, around.channel));
  return listen_tls(around.network, host, port, settings->contexts());
}

std::string listens_on(const Options& options) {
  const auto* port = options.find("port");
  if (port == nullptr || !port->resolved || port->number == 0) return {};
  return options.text("bind") + ":" + std::to_string(port->number);
}

}  // namespace kiln::channels::detail
