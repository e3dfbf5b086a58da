// The network alone: MLLP source with an intake that answers at once, so that what the socket path costs is
// known apart from journal and maps. Client and server share the machine.

#include <cstdio>
#include <thread>

#include "channels/connector.h"
#include "channels/detail/option_text.h"
#include "tests/bench/mllp_client.h"

namespace {

using namespace kiln;

const std::string kAck = "MSH|^~\\&|K|K|L|L|20250101||ACK^A01^ACK|1|P|2.5.1\rMSA|AA|1\r";

class InstantIntake final : public channels::Intake {
 public:
  base::Task<channels::Answer> accept(channels::Inbound) override {
    channels::Answer out;
    out.taken = channels::Taken::stored;
    out.reply = kAck;
    co_return out;
  }
  base::Task<channels::Answer> report(channels::Unframed) override { co_return channels::Answer(); }
  bool has_room() const override { return true; }
  base::Task<void> room() override { co_return; }
};

/// The source's options with their defaults.
channels::Options options_of(const channels::ConnectorSpec& spec) {
  channels::Options out(spec.options);
  for (const channels::FieldSpec& field : spec.options)
    if (auto value = channels::detail::default_of(field)) out.add(field.name, std::move(*value));
  channels::OptionValue port;
  out.add("port", port);
  out.values()["connections_per_peer"].front().number = 1000;  // all clients of a bench are one address
  return out;
}

}  // namespace

int main() {
  channels::Net net;
  InstantIntake intake;
  base::SystemClock clock;
  base::InlineExecutor files;
  const auto& spec = *channels::find_connector(channels::ConnectorRole::source, "mllp");
  const channels::Surroundings around{.network = net,
                                      .env = base::system_env(),
                                      .file_work = files,
                                      .clock = clock,
                                      .channel = "bench",
                                      .site = ".",
                                      .state = {}};
  const auto source = spec.make_source(options_of(spec), around);
  if (!source->start(intake)) return 1;
  std::thread server([&net] { net.run(); });
  const std::string body(1400, 'x');
  for (const std::size_t connections : {1u, 8u, 32u, 128u}) {
    bench::LoadPlan plan;
    plan.port = source->status().port;
    plan.connections = connections;
    plan.message = [&body](std::uint64_t number) {
      return "MSH|^~\\&|L|L|K|K|20250101||ADT^A01^ADT_A01|" + std::to_string(number) + "|P|2.5.1\rNTE|1||" +
             body + "\r";
    };
    const auto result = bench::run_load(plan);
    std::printf("mllp-net connections=%zu ack/s=%.0f p50_ms=%.3f p99_ms=%.3f errors=%llu\n", connections,
                result.per_second(), result.quantile_ms(0.5), result.quantile_ms(0.99),
                static_cast<unsigned long long>(result.errors));
  }
  net.stop();
  server.join();
  channels::run_to_end(net, source->stop());
  return 0;
}
