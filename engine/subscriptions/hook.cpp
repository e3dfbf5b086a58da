#include "engine/subscriptions/hook.h"

#include <algorithm>

#include "channels/net/http_client.h"
#include "engine/base/limits.h"
#include "engine/subscriptions/notification.h"
#include "fhir/model/json.h"
#include "fhir/model/xml.h"

namespace kiln::engine {

using base::ErrorCode;
using base::Result;
using base::Status;
using base::Task;
using channels::Change;
using channels::ConnectorStatus;
using channels::SendOutcome;
using Kind = SendOutcome::Kind;

std::string events_cursor(const std::string& channel) {
  return channel + "#events";
}

namespace {

constexpr std::int64_t kWaitMs = 1'000;

Result<std::string> as_xml(const std::string& json) {
  fhir::ReadOptions options;
  options.unknown = fhir::UnknownElements::keep;
  options.bytes_max = base::limits::kArchiveFileBytesMax;
  options.depth_max = base::limits::kJsonDepthMax + 8;
  TRY(const fhir::Tree tree, fhir::read_json(json, options));
  return fhir::write_xml(tree.root());
}

}  // namespace

Result<base::HttpRequest> hook_request(const SubscriptionDefinition& definition, const std::string& body) {
  base::HttpRequest request;
  request.method = "POST";
  request.target = definition.endpoint.path.empty() ? "/" : definition.endpoint.path;
  for (const auto& [name, value] : definition.headers) request.headers.add(name, value);
  if (!definition.is_topic_style()) {
    if (!definition.has_payload) return request;
    TRY(const auto document, base::parse_json(body));
    const std::string type(document.root()["resourceType"].text()), id(document.root()["id"].text());
    if (type.empty() || id.empty())
      return base::fail(ErrorCode::cannot_deliver, "the event is no resource with an id");
    request.method = "PUT";
    request.target = definition.endpoint.path + "/" + type + "/" + id;
  }
  request.body = body;
  if (definition.xml) {
    TRY(request.body, as_xml(body));
  }
  request.headers.set("Content-Type", definition.xml ? "application/fhir+xml; charset=UTF-8"
                                                     : "application/fhir+json; charset=UTF-8");
  return request;
}

namespace {

Task<void> accept_into(channels::Intake* intake, channels::Inbound message,
                       base::Completion<channels::Answer> done) {
  auto accepting = intake->accept(std::move(message));
  channels::Answer answer = co_await std::move(accepting);
  done.set(std::move(answer));
}

/// Matching changes as messages, numbered in the order of the feed. Position and number are kept in one
/// commit, so that a change which comes again after a crash has the number it had.
class SubscriptionSource final : public channels::Source,
                                 public std::enable_shared_from_this<SubscriptionSource> {
 public:
  SubscriptionSource(LivePtr live, FhirService& fhir, FeedWindow& feed, const channels::Surroundings& around)
      : live_(std::move(live)), fhir_(fhir), feed_(feed), around_(around), ended_(around.network.executor()) {}

  Status start(channels::Intake& intake) override {
    intake_ = &intake;
    stopping_ = false;
    running_ = true;
    status_.state = ConnectorStatus::State::up;
    base::spawn(run(shared_from_this()));
    return {};
  }
  Task<void> stop() override {
    const auto self = shared_from_this();
    stopping_ = true;
    while (running_) {
      fhir_.wake();
      live_->changed.notify();
      auto wait = ended_.wait(std::chrono::milliseconds(20));
      co_await wait;
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  static Task<void> run(std::shared_ptr<SubscriptionSource> self);
  Task<bool> step();
  channels::Inbound message_of(const Change& change, std::uint64_t number) const;
  Task<bool> keep(std::uint64_t position, std::uint64_t events);

  LivePtr live_;
  FhirService& fhir_;
  FeedWindow& feed_;
  channels::Surroundings around_;
  base::Event ended_;
  channels::Intake* intake_ = nullptr;
  std::uint64_t noted_ = 0;  ///< position that is durable, as far as known here
  bool running_ = false, stopping_ = false;
  ConnectorStatus status_;
};

channels::Inbound SubscriptionSource::message_of(const Change& change, std::uint64_t number) const {
  const SubscriptionDefinition& definition = *live_->definition;
  channels::Inbound out;
  out.kind = channels::ContentKind::fhir;
  out.peer = "store";
  out.name = change.type + "/" + change.id;
  out.key = out.name + "/_history/" + std::to_string(change.version);
  out.action = name_of(change.action);
  out.label = std::to_string(number);
  out.received_at = around_.clock.wall();
  if (!definition.is_topic_style()) {
    out.bytes = change.resource;
    return out;
  }
  const NotificationEvent event{number, change.at, change.type, change.id, change.action, change.resource};
  NotificationStatus status;
  status.topic = definition.topic;
  status.events = number;
  out.bytes =
      print_notification(fhir_.base_url(), live_->id, change.at, status, {&event, 1}, definition.content);
  return out;
}

Task<bool> SubscriptionSource::keep(std::uint64_t position, std::uint64_t events) {
  const std::string channel = live_->channel;
  auto work = [channel, position, events](fhir::Store& store) -> Status {
    TRY_VOID(store.set_cursor(channel, static_cast<std::int64_t>(position)));
    return store.set_cursor(events_cursor(channel), static_cast<std::int64_t>(events));
  };
  auto writing = fhir_.write_store(std::move(work));
  const Status kept = co_await std::move(writing);
  if (!kept) status_.last_error = kept.error().message();
  co_return kept.has_value();
}

/// One batch. False when something failed and a pause is due.
Task<bool> SubscriptionSource::step() {
  if (!intake_->has_room()) {
    auto room = intake_->room();
    co_await std::move(room);
    co_return true;
  }
  const std::uint64_t begin = live_->position;
  auto reading = feed_.read(begin, kWaitMs);
  const auto read = co_await std::move(reading);
  if (!read) {
    status_.last_error = read.error().message();
    co_return false;
  }
  const FeedWindow::Batch batch = *read;
  if (!live_->listening || live_->position != begin) co_return true;  // changed meanwhile
  std::vector<channels::Inbound> messages;
  std::vector<std::uint64_t> positions;
  std::uint64_t number = live_->events;
  for (const Change& change : batch->changes) {
    if (change.position <= begin || !live_->definition->wants(change)) continue;
    positions.push_back(change.position);
    messages.push_back(message_of(change, ++number));
  }
  std::uint64_t done = batch->read_up_to;
  number = live_->events;
  bool all_stored = true;
  if (!messages.empty()) {
    // In order and overlapping: one group commit can hold many.
    std::vector<base::Completion<channels::Answer>> answers;
    for (channels::Inbound& message : messages) {
      answers.emplace_back(around_.network.executor());
      base::spawn(accept_into(intake_, std::move(message), answers.back()));
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const channels::Answer answer = co_await answers[i];
      if (!all_stored) continue;
      all_stored = answer.taken != channels::Taken::not_stored;
      if (all_stored) ++number, ++status_.messages;
      if (!all_stored) done = positions[i] - 1;
    }
  }
  if (done > begin && (number > live_->events || done - noted_ >= base::limits::kChangesUnmatchedMax)) {
    auto keeping = keep(done, number);
    const bool kept = co_await std::move(keeping);
    if (!kept) co_return false;
    noted_ = done;
  }
  if (live_->position == begin) {
    live_->position = done;
    live_->events = number;
  }
  if (all_stored) status_.last_error.clear();
  if (!all_stored) status_.last_error = "a change could not be stored; it will be tried again";
  co_return all_stored;
}

Task<void> SubscriptionSource::run(std::shared_ptr<SubscriptionSource> self) {
  while (!self->stopping_ && !self->live_->stopping) {
    bool good = false;
    if (self->live_->listening) {
      auto stepping = self->step();
      good = co_await std::move(stepping);
    }
    if (good || self->stopping_ || self->live_->stopping) continue;
    auto wait = self->live_->changed.wait(std::chrono::milliseconds(kWaitMs));
    co_await wait;
  }
  self->running_ = false;
  self->ended_.notify();
}

class SourceHandle final : public channels::Source {
 public:
  explicit SourceHandle(std::shared_ptr<SubscriptionSource> source) : source_(std::move(source)) {}
  Status start(channels::Intake& intake) override { return source_->start(intake); }
  Task<void> stop() override { return source_->stop(); }
  ConnectorStatus status() const override { return source_->status(); }

 private:
  std::shared_ptr<SubscriptionSource> source_;
};

/// Calls the endpoint. While a subscription is not accepted (its endpoint is no longer allowed) what waits
/// goes on waiting; when it is off or deleted, what waits is set aside, where an operator finds it.
class HookDestination final : public channels::Destination {
 public:
  HookDestination(LivePtr live, const channels::Surroundings& around)
      : live_(std::move(live)), around_(around), idle_(around.network.executor()) {}

  Status start() override { return {}; }
  Task<SendOutcome> send(channels::Outgoing message) override;
  Task<void> stop() override {
    if (client_) client_->close();
    while (sending_) {
      auto wait = idle_.wait(std::chrono::milliseconds(10));
      co_await wait;
      if (client_) client_->close();
    }
    status_.state = ConnectorStatus::State::down;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  Task<SendOutcome> attempt(std::shared_ptr<const SubscriptionDefinition> definition,
                            base::HttpRequest request);
  void note(const SendOutcome& outcome);

  LivePtr live_;
  channels::Surroundings around_;
  std::unique_ptr<channels::HttpClient> client_;
  std::shared_ptr<const SubscriptionDefinition> connected_;  ///< what client_ was made of
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

SendOutcome failed(Kind kind, ErrorCode code, std::string text) {
  return SendOutcome::failed(kind, base::Error{code, std::move(text), {}, {}});
}

SendOutcome judge(const base::HttpResponse& response) {
  const int status = response.status;
  if (status >= 200 && status < 300) return SendOutcome::sent(std::to_string(status));
  const bool later = status == 408 || status == 429 || status >= 500;
  SendOutcome out = failed(later ? Kind::retry : Kind::negative,
                           later ? ErrorCode::peer_unavailable : ErrorCode::peer_negative,
                           "the endpoint answered " + std::to_string(status));
  out.code = std::to_string(status);
  return out;
}

/// Rights are those of now: an event may have waited for long. The first type that the creator may not read.
std::string first_hidden(const LiveSubscription& live, const std::string& body) {
  if (live.may_tell)
    for (const std::string& type : types_told(body))
      if (!live.may_tell(type)) return type;
  return {};
}

Task<SendOutcome> HookDestination::send(channels::Outgoing message) {
  const auto definition = live_->definition;
  if (live_->ended) co_return failed(Kind::bad, ErrorCode::cannot_deliver, "the subscription is off");
  if (!definition)
    co_return failed(Kind::retry, ErrorCode::fhir_endpoint_refused, "the subscription is not active");
  const std::string hidden = first_hidden(*live_, message.bytes);
  if (!hidden.empty()) {
    SendOutcome refused = failed(Kind::bad, ErrorCode::fhir_not_allowed, "its creator may not read " + hidden);
    note(refused);
    co_return refused;
  }
  auto request = hook_request(*definition, message.bytes);
  if (!request) co_return SendOutcome::failed(Kind::bad, request.error());
  sending_ = true;
  auto attempting = attempt(definition, std::move(*request));
  SendOutcome outcome = co_await std::move(attempting);
  sending_ = false;
  idle_.notify();
  note(outcome);
  co_return outcome;
}

Task<SendOutcome> HookDestination::attempt(std::shared_ptr<const SubscriptionDefinition> definition,
                                           base::HttpRequest request) {
  if (!client_ || connected_ != definition) {
    client_ = std::make_unique<channels::HttpClient>(around_.network, definition->endpoint, definition->tls);
    connected_ = definition;
  }
  auto sending = client_->send(std::move(request), definition->timeout_ms);
  const channels::HttpExchange exchange = co_await std::move(sending);
  if (exchange.response) co_return judge(*exchange.response);
  const Kind kind = exchange.request_sent ? Kind::in_doubt : Kind::retry;
  co_return SendOutcome::failed(kind, exchange.response.error());
}

void HookDestination::note(const SendOutcome& outcome) {
  status_.last_error = outcome.detail;
  if (outcome.kind == Kind::sent) {
    ++status_.messages;
    status_.state = ConnectorStatus::State::up;
    live_->last_sent = around_.clock.mono();
    const bool turn = std::exchange(live_->failures, 0) >= base::limits::kSubscriptionErrorAttempts;
    if (turn && live_->on_turn) live_->on_turn(true, {});
    return;
  }
  status_.state = ConnectorStatus::State::down;
  if (++live_->failures == base::limits::kSubscriptionErrorAttempts && live_->on_turn)
    live_->on_turn(false, outcome.detail);
}

class IdleSource final : public channels::Source {
 public:
  Status start(channels::Intake&) override { return {}; }
  Task<void> stop() override { co_return; }
  ConnectorStatus status() const override { return {}; }
};

class ResponseDestination final : public channels::Destination {
 public:
  ResponseDestination(const SubscriptionRules& rules, const channels::Surroundings& around)
      : rules_(rules), around_(around), idle_(around.network.executor()) {}

  Status start() override { return {}; }
  Task<SendOutcome> send(channels::Outgoing message) override;
  Task<void> stop() override {
    while (sending_) {
      if (client_) client_->close();
      auto wait = idle_.wait(std::chrono::milliseconds(10));
      co_await wait;
    }
  }
  ConnectorStatus status() const override { return status_; }

 private:
  Task<SendOutcome> attempt(base::HttpRequest request);

  const SubscriptionRules& rules_;
  channels::Surroundings around_;
  std::unique_ptr<channels::HttpClient> client_;
  base::Event idle_;
  bool sending_ = false;
  ConnectorStatus status_;
};

Task<SendOutcome> ResponseDestination::send(channels::Outgoing message) {
  const auto document = base::parse_json(message.bytes);
  if (!document) co_return SendOutcome::failed(Kind::bad, document.error());
  const base::JsonView header = document->root()["entry"].at(0)["resource"];
  const auto url = allowed_endpoint(header["destination"].at(0)["endpoint"].text(), rules_, "response-url");
  if (!url) co_return SendOutcome::failed(Kind::bad, url.error().error);
  base::HttpRequest request;
  request.method = "POST";
  request.target = url->path.empty() ? "/" : url->path;
  request.headers.set("Content-Type", "application/fhir+json; charset=UTF-8");
  request.body = std::move(message.bytes);
  client_ = std::make_unique<channels::HttpClient>(around_.network, *url, rules_.tls);
  sending_ = true;
  auto attempting = attempt(std::move(request));
  SendOutcome outcome = co_await std::move(attempting);
  sending_ = false;
  idle_.notify();
  if (outcome.kind == Kind::sent) ++status_.messages;
  status_.last_error = outcome.detail;
  co_return outcome;
}

Task<SendOutcome> ResponseDestination::attempt(base::HttpRequest request) {
  auto sending = client_->send(std::move(request), rules_.timeout_ms);
  const channels::HttpExchange exchange = co_await std::move(sending);
  client_->close();
  if (exchange.response) co_return judge(*exchange.response);
  co_return SendOutcome::failed(exchange.request_sent ? Kind::in_doubt : Kind::retry,
                                exchange.response.error());
}

std::unique_ptr<channels::Source> no_source(const channels::Options&, const channels::Surroundings&) {
  return nullptr;
}
std::unique_ptr<channels::Destination> no_destination(const channels::Options&,
                                                      const channels::Surroundings&) {
  return nullptr;
}

}  // namespace

std::unique_ptr<channels::Source> make_subscription_source(LivePtr live, FhirService& fhir, FeedWindow& feed,
                                                           const channels::Surroundings& around) {
  return std::make_unique<SourceHandle>(std::make_shared<SubscriptionSource>(std::move(live), fhir, feed, around));
}

std::unique_ptr<channels::Destination> make_hook_destination(LivePtr live,
                                                             const channels::Surroundings& around) {
  return std::make_unique<HookDestination>(std::move(live), around);
}

channels::ChannelDefinition subscription_channel(std::string name, const char* destination,
                                                 const SubscriptionRules& rules) {
  channels::ChannelDefinition out;
  out.name = std::move(name);
  out.source = &subscription_source_spec();
  out.ack = channels::AckMode::none;
  channels::DestinationDefinition to;
  to.name = destination;
  to.connector = &hook_destination_spec();
  to.from = "source";
  to.kind = channels::ContentKind::fhir;
  to.options.retry = rules.retry;
  to.options.nak.on_error = rules.refused;
  to.options.nak.on_reject = rules.refused;
  out.destinations.push_back(std::move(to));
  return out;
}

std::unique_ptr<channels::Source> make_idle_source() {
  return std::make_unique<IdleSource>();
}

std::unique_ptr<channels::Destination> make_response_destination(const SubscriptionRules& rules,
                                                                 const channels::Surroundings& around) {
  return std::make_unique<ResponseDestination>(rules, around);
}

const channels::ConnectorSpec& subscription_source_spec() {
  static const channels::ConnectorSpec spec{.name = "subscription",
                                            .role = channels::ConnectorRole::source,
                                            .summary = "changes that a Subscription asks for",
                                            .content = {.fhir = true},
                                            .options = {},
                                            .examples = {},
                                            .make_source = &no_source};
  return spec;
}

const channels::ConnectorSpec& hook_destination_spec() {
  static const channels::ConnectorSpec spec{.name = "hook",
                                            .role = channels::ConnectorRole::destination,
                                            .summary = "the endpoint of a Subscription",
                                            .content = {.fhir = true},
                                            .options = {},
                                            .examples = {},
                                            .make_destination = &no_destination};
  return spec;
}

}  // namespace kiln::engine
