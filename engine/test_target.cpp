#include "engine/test_target.h"

#include <algorithm>

#include "channels/net/net.h"
#include "engine/base/virtual_executor.h"
#include "engine/detail/input.h"
#include "engine/detail/memory_journal.h"
#include "engine/pipeline.h"

namespace kiln::engine {
namespace {

using base::Result;
using base::Task;
using channels::SendOutcome;

/// What one destination of the test was given.
struct Received {
  std::vector<channels::Outgoing> sent;
  std::uint64_t attempts = 0;
  int faults = 0;
};

class TestDestination final : public channels::Destination {
 public:
  explicit TestDestination(Received& received) : received_(received) {}
  base::Status start() override { return {}; }
  Task<SendOutcome> send(channels::Outgoing message) override {
    ++received_.attempts;
    if (received_.faults > 0) {
      --received_.faults;
      const base::Error fault{base::ErrorCode::connect_failed, "a fault of the test", {}, {}};
      co_return SendOutcome::failed(SendOutcome::Kind::retry, fault);
    }
    received_.sent.push_back(std::move(message));
    co_return SendOutcome::sent("AA");
  }
  Task<void> stop() override { co_return; }
  channels::ConnectorStatus status() const override { return {}; }

 private:
  Received& received_;
};

channels::Inbound make_inbound(const mappings::TestInput& input, const base::Clock& clock) {
  channels::Inbound in;
  in.bytes = input.bytes;
  in.kind = input.kind == "fhir"  ? channels::ContentKind::fhir
            : input.kind == "csv" ? channels::ContentKind::csv
                                  : channels::ContentKind::hl7;
  in.peer = "test";
  in.received_at = clock.wall();
  if (in.kind == channels::ContentKind::fhir) {
    in.action = "create";
    if (const auto document = base::parse_json(in.bytes))
      in.name = std::string(document->root()["resourceType"].text()) + "/" +
                std::string(document->root()["id"].text());
  }
  return in;
}

Task<void> offer(ChannelRuntime& channel, channels::Inbound in, channels::Answer* answer) {
  auto accepting = channel.accept(std::move(in));
  *answer = co_await std::move(accepting);
}

Task<void> stop(ChannelRuntime& channel) {
  auto stopping = channel.stop_queues();
  co_await std::move(stopping);
}

/// One test: a channel, its world, what came of it.
class Bench {
 public:
  Bench(std::shared_ptr<const channels::Site> site, const channels::ChannelDefinition& definition,
        const mappings::ResultObserver& observer)
      : site_(std::move(site)), definition_(definition), observer_(observer), runtime_(parts()) {}

  Result<mappings::ChannelTestOutcome> run(const mappings::ChannelTestRequest& request) {
    lookups_.service = request.lookups.get();
    processor_.use_lookups(&lookups_);
    for (const mappings::TestFault& fault : request.faults)
      received_[fault.destination].faults += fault.times;
    TRY_VOID(runtime_.start_queues({}, 0, true));
    channels::Answer answer;
    for (const mappings::TestInput& input : request.inputs) {
      base::spawn(offer(runtime_, make_inbound(input, clock_), &answer));
      executor_.run(std::chrono::hours(24));
    }
    auto outcome = collect(answer);
    base::spawn(stop(runtime_));
    executor_.run(std::chrono::hours(1));
    return outcome;
  }

 private:
  ChannelRuntime::Parts parts() {
    auto make =
        [this](const channels::DestinationDefinition& destination) -> std::unique_ptr<channels::Destination> {
      return std::make_unique<TestDestination>(received_[destination.name]);
    };
    return {site_,
            &definition_,
            &journal_,
            &executor_,
            &clock_,
            &random_,
            &processor_,
            &budget_,
            &pacer_,
            {net_, base::system_env(), files_, clock_, definition_.name, site_->folder, nullptr, nullptr, {}},
            make};
  }

  mappings::ChannelTestOutcome collect(const channels::Answer& answer) {
    mappings::ChannelTestOutcome out;
    if (const auto ack = hl7::Message::parse(answer.reply)) {
      out.ack_code = ack->field("MSA", 1).to_text();
      const std::string code = ack->field("ERR", 3).to_text();
      out.ack_error = std::atoi(code.c_str());
    }
    for (const auto& destination : definition_.destinations) out.destinations.push_back(collect(destination));
    for (const auto& [id, record] : journal_.records())
      for (const auto& [name, ending] : record.endings)
        out.quarantined += ending.state == DeliveryState::quarantined ? 1 : 0;
    return out;
  }

  mappings::DestinationOutcome collect(const channels::DestinationDefinition& destination) {
    mappings::DestinationOutcome out;
    out.name = destination.name;
    const Received& received = received_[destination.name];
    out.attempts = received.attempts;
    for (const channels::Outgoing& message : received.sent)
      out.sent.push_back(result_of(destination, message));
    for (const auto& [id, record] : journal_.records()) {
      out.queued += record.pending.contains(destination.name) ? 1 : 0;
      const auto ending = record.endings.find(destination.name);
      if (ending == record.endings.end()) continue;
      out.quarantined += ending->second.state == DeliveryState::quarantined ? 1 : 0;
      // A `drop` destination ends without a queue.
      if (ending->second.code == "dropped") out.sent.push_back(dropped(record, destination));
    }
    return out;
  }

  mappings::RunResult dropped(const detail::MemoryJournal::Record& record,
                              const channels::DestinationDefinition& destination) {
    channels::Outgoing message;
    message.bytes = record.message.body;
    message.kind = destination.kind;
    return result_of(destination, message);
  }

  /// What the map made of the message, handles included: maps are pure, so running it again gives what was
  /// sent.
  mappings::RunResult result_of(const channels::DestinationDefinition& destination,
                                const channels::Outgoing& message) {
    for (const channels::MapRoute& route : definition_.maps) {
      if (route.result != destination.from) continue;
      const auto record = journal_.records().find(message.msg_id);
      if (record == journal_.records().end()) continue;
      const auto input = detail::Input::read(*site_, definition_, record->second.message);
      if (!input) continue;
      mappings::LookupRecord answers;
      mappings::RunResult result = mappings::run_with_lookups(runner_, route.program, input->run_input(),
                                                              input->context(), lookups_.service, answers);
      if (!result.ok() || result.output != message.bytes) continue;
      if (observer_) observer_(result, runner_);
      return result;
    }
    mappings::RunResult result;
    result.output = message.bytes;
    result.output_kind = static_cast<mappings::DataKind>(message.kind);
    return result;
  }

  std::shared_ptr<const channels::Site> site_;
  const channels::ChannelDefinition& definition_;
  const mappings::ResultObserver& observer_;
  base::ManualClock clock_{{mappings::kTestReceivedMicros}};
  base::VirtualExecutor executor_{clock_};
  base::InlineExecutor files_;
  base::SeededRandom random_{1};
  channels::Net net_;  ///< nothing connects; connectors are replaced
  detail::MemoryJournal journal_;
  struct GivenProvider final : LookupProvider {
    mappings::LookupService* service = nullptr;
    mappings::LookupService* lookups(const channels::Site&) override { return service; }
  };
  GivenProvider lookups_;
  Processor processor_;
  mappings::Runner runner_;
  InflightBudget budget_{executor_};
  CommitPacer pacer_{executor_, journal_};
  std::map<std::string, Received> received_;
  ChannelRuntime runtime_;
};

}  // namespace

Result<mappings::ChannelTestOutcome> ChannelTestTarget::run(const mappings::ChannelTestRequest& request) {
  const std::string_view wanted = request.channel;
  for (const channels::ChannelDefinition& definition : site_->channels) {
    if (wanted != definition.name && !wanted.ends_with("." + definition.name)) continue;
    return Bench(site_, definition, observer_).run(request);
  }
  return base::fail(base::ErrorCode::file_not_found, "the site has no channel " + request.channel);
}

}  // namespace kiln::engine
