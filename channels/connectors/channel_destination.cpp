// Hands messages on to another channel of the site. That channel journals each as a message of its own, whose parent is the
// original, before it counts as sent here; the same one again (after a crash between the two) is known by its key, so it is
// handed on once.

#include "channels/connectors/detail/common.h"
#include "channels/doors.h"
#include "engine/base/failpoint.h"
#include "engine/base/json.h"
#include "hl7/ack.h"
#include "hl7/message.h"

namespace kiln::channels {

namespace {

using Kind = SendOutcome::Kind;

constexpr FieldSpec kOptions[] = {
    {.name = "name",
     .type = FieldType::string,
     .summary = "the channel, one with `source channel`",
     .required = true},
};
constexpr ConnectorExample kExamples[] = {{"{ name \"lab_routing\" }"}, {"{ }", false}, {"{ name lab }", false}};
constexpr int kTries = 20;  ///< for a channel that is just starting
constexpr std::int64_t kTryMs = 50;

/// The resource type is the type of a message of fhir.
std::string name_of_resource(const std::string& json) {
  const auto parsed = base::parse_json(json);
  if (!parsed) return {};
  return std::string(parsed->root()["resourceType"].text()) + "/" + std::string(parsed->root()["id"].text());
}

Inbound inbound_of(Outgoing&& message, base::WallTime now) {
  Inbound in;
  in.kind = message.kind;
  in.peer = std::string(kChainPeer) + message.channel;
  in.parent = message.msg_id;
  in.key = "handed on " + message.channel + "/" + message.destination + " " + std::to_string(message.msg_id);
  in.received_at = now;
  if (message.kind == ContentKind::fhir) in.name = name_of_resource(message.bytes);
  in.bytes = message.csv_header.empty() ? std::move(message.bytes) : message.csv_header + message.bytes;
  return in;
}

class ChannelDestination final : public Destination, public std::enable_shared_from_this<ChannelDestination> {
 public:
  ChannelDestination(const Options& options, const Surroundings& around)
      : name_(options.text("name")), around_(around), answered_(around.network.executor()) {}

  base::Status start() override {
    stopping_ = false;
    status_.state = ConnectorStatus::State::up;
    return {};
  }
  base::Task<SendOutcome> send(Outgoing message) override { return hand_on(shared_from_this(), std::move(message)); }
  base::Task<void> stop() override {
    stopping_ = true;
    answered_.set(std::nullopt);
    status_.state = ConnectorStatus::State::down;
    co_return;
  }
  ConnectorStatus status() const override { return status_; }

 private:
  using Answered = base::Completion<std::optional<Answer>>;

  Intake* door() const { return around_.doors == nullptr ? nullptr : around_.doors->find(name_); }

  static base::Task<SendOutcome> hand_on(std::shared_ptr<ChannelDestination> self, Outgoing message) {
    for (int i = 0; i < kTries && !self->stopping_; ++i) {
      const Intake* open = self->door();
      if (open != nullptr && open->has_room()) break;
      auto waiting = detail::pause(&self->around_.network.executor(), kTryMs);
      co_await std::move(waiting);
    }
    Intake* const intake = self->door();
    if (intake == nullptr || !intake->has_room()) {
      const char* why = intake == nullptr ? "is stopped" : "reads nothing now";
      self->status_.last_error = "channel " + self->name_ + " " + why;
      co_return SendOutcome::failed(Kind::retry, {base::ErrorCode::connect_failed, self->status_.last_error, {}, {}});
    }
    const Answered answered(self->around_.network.executor());
    self->answered_ = answered;
    base::spawn(ask(intake, inbound_of(std::move(message), self->around_.clock.wall()), answered));
    const std::optional<Answer> answer = co_await answered;
    base::failpoint_here("channel.handed_on");
    // It goes on there; the next attempt finds it.
    if (!answer) co_return SendOutcome::failed(Kind::in_doubt, {base::ErrorCode::cancelled, "stopped while it was handed on", {}, {}});
    co_return self->outcome_of(*answer);
  }

  static base::Task<void> ask(Intake* intake, Inbound in, Answered answered) {
    auto accepting = intake->accept(std::move(in));
    Answer answer = co_await std::move(accepting);
    answered.set(std::move(answer));
  }

  SendOutcome outcome_of(const Answer& answer) {
    const std::string where = "message " + std::to_string(answer.id) + " of " + name_;
    // It is there, and the next attempt has the same key, so it is told the end. Set aside before, it is in doubt.
    if (answer.pending)
      return SendOutcome::failed(Kind::in_doubt, {base::ErrorCode::timeout, where + " is not delivered yet", {}, {}});
    if (answer.taken == Taken::not_stored)
      return SendOutcome::failed(Kind::retry, {base::ErrorCode::io_failed, "channel " + name_ + " could not store it", {}, {}});
    if (answer.taken == Taken::refused) {
      SendOutcome out = SendOutcome::failed(
          Kind::negative, {base::ErrorCode::peer_negative, where + ": " + (answer.reason.empty() ? answer.code : answer.reason), {}, {}});
      const auto ack = hl7::Message::parse(answer.reply);
      const auto code = ack ? hl7::ack_code(ack->field("MSA", 1).to_text()) : std::nullopt;
      out.code = code == hl7::AckCode::AR || code == hl7::AckCode::CR ? "AR" : "AE";
      out.reply = answer.reply;
      return out;
    }
    ++status_.messages;
    status_.last_error.clear();
    SendOutcome out = SendOutcome::sent(kHandedOnCode, answer.reply);
    out.detail = where;
    return out;
  }

  std::string name_;
  Surroundings around_;
  Answered answered_;  ///< of the message that is being handed on
  bool stopping_ = false;
  ConnectorStatus status_;
};

/// Keeps the connector while a send is under way.
class Shared final : public Destination {
 public:
  explicit Shared(std::shared_ptr<ChannelDestination> inner) : inner_(std::move(inner)) {}
  base::Status start() override { return inner_->start(); }
  base::Task<SendOutcome> send(Outgoing message) override { return inner_->send(std::move(message)); }
  base::Task<void> stop() override { return inner_->stop(); }
  ConnectorStatus status() const override { return inner_->status(); }

 private:
  std::shared_ptr<ChannelDestination> inner_;
};

std::unique_ptr<Destination> make(const Options& options, const Surroundings& around) {
  return std::make_unique<Shared>(std::make_shared<ChannelDestination>(options, around));
}

}  // namespace

const ConnectorSpec& channel_destination_spec() {
  static const ConnectorSpec spec{.name = "channel",
                                  .role = ConnectorRole::destination,
                                  .summary = "hands messages on to another channel of the site",
                                  .content = {.hl7 = true, .fhir = true, .csv = true},
                                  .options = kOptions,
                                  .examples = kExamples,
                                  .make_destination = &make};
  return spec;
}

}  // namespace kiln::channels
