#include "engine/detail/reply.h"

#include <algorithm>

#include "engine/process.h"
#include "hl7/continuation.h"
#include "hl7/edit.h"

namespace kiln::engine {

namespace detail {

base::PartialDate ack_time(base::WallTime received) {
  return base::PartialDate::from_wall(received, base::DatePrecision::second);
}

hl7::AckDemand demand_of(const channels::ChannelDefinition& channel, const hl7::Message& message) {
  hl7::AckDemand demand = hl7::ack_demand(message);
  if (channel.ack == channels::AckMode::original) demand.mode = hl7::AckMode::original;
  if (channel.ack == channels::AckMode::enhanced && demand.mode == hl7::AckMode::original) {
    demand.mode = hl7::AckMode::enhanced;
    demand.accept = hl7::AckCondition::always;
    demand.application = hl7::AckCondition::never;
  }
  return demand;
}

bool is_fragment(const channels::ChannelDefinition& channel, const hl7::Message& message) {
  const channels::Options& options = channel.source_options;
  return options.has("fragments") && options.text("fragments") == "join" &&
         hl7::continuation_of(message).fragment();
}

bool wants_application_ack(const channels::ChannelDefinition& channel, const hl7::Message& message,
                           hl7::AckCode code) {
  if (channel.ack == channels::AckMode::none || !hl7::may_acknowledge(message)) return false;
  const hl7::AckDemand demand = demand_of(channel, message);
  return demand.mode == hl7::AckMode::enhanced && code != hl7::AckCode::AR &&
         hl7::wanted(demand.application, code);
}

bool answers_on_connection(const channels::ChannelDefinition& channel) {
  const channels::Options& options = channel.source_options;
  return options.has("application_ack") && options.text("application_ack") == "same_connection";
}

}  // namespace detail

namespace {

using detail::answers_on_connection;
using detail::ReplyPart;

hl7::AckCode accept_form(hl7::AckCode code) {
  switch (code) {
    case hl7::AckCode::AA:
      return hl7::AckCode::CA;
    case hl7::AckCode::AE:
      return hl7::AckCode::CE;
    case hl7::AckCode::AR:
      return hl7::AckCode::CR;
    default:
      return code;
  }
}

/// The sender learns of errors in the content by an application acknowledgement, so that its accept
/// acknowledgement can say what it means: the message is stored.
bool has_application_ack(const channels::ChannelDefinition& channel) {
  return answers_on_connection(channel) ||
         std::any_of(channel.destinations.begin(), channel.destinations.end(),
                     [](const auto& destination) { return destination.acks; });
}

/// What a map made, as the answer to `request`; empty when it is none. `plain` is the acknowledgement it stands for: what the
/// map left out of the header is as there, and MSA-2 is.
std::string fitted(const std::string& made, const hl7::Message& request, const std::string& plain) {
  auto parsed = hl7::Message::parse(made.starts_with("MSH") ? made : "MSH|^~\\&|\r" + made);
  const auto standard = hl7::Message::parse(plain);
  if (!parsed || !standard || parsed->field("MSA", 1).to_text().empty()) return {};
  hl7::MessageEditor editor(*parsed, hl7::Unencodable::replace);
  const hl7::SegmentView is = parsed->header(), wanted = standard->header();
  const bool same_delimiters = is.field(2).raw() == wanted.field(2).raw() && is.field(1).raw() == wanted.field(1).raw();
  constexpr std::uint32_t kFirst = 3, kLast = 12;
  for (std::uint32_t field = kFirst; field <= kLast; ++field) {
    if (!is.field(field).raw().empty()) continue;
    const auto path = hl7::Path::compile("MSH-" + std::to_string(field));
    // What cannot be written stays as the map made it.
    if (path && same_delimiters) static_cast<void>(editor.set_raw(*path, wanted.field(field).raw()));
    if (path && !same_delimiters) static_cast<void>(editor.set(*path, wanted.field(field).to_text()));
  }
  static_cast<void>(editor.set("MSA-2", request.header().field(10).to_text()));
  return editor.encode();
}

/// The acknowledgement of the application, by a map or plain.
std::string application_reply(const hl7::Message& message, const hl7::AckInput& input, const std::string& made) {
  std::string plain = hl7::make_ack(message, input);
  std::string out = made.empty() ? std::string() : fitted(made, message, plain);
  return out.empty() ? plain : out;
}

std::string enhanced_reply(const channels::ChannelDefinition& channel, const hl7::Message& message,
                           const hl7::AckDemand& demand, const hl7::AckInput& input, bool stored,
                           const std::string& made, ReplyPart part) {
  hl7::AckInput accept = input;
  const bool waits = channel.ack_on == channels::AckOn::delivered && stored && input.code != hl7::AckCode::AA;
  const bool told_later = stored && (input.code == hl7::AckCode::AE || waits) && has_application_ack(channel) &&
                          hl7::wanted(demand.application, input.code);
  accept.code = told_later ? hl7::AckCode::CA : accept_form(input.code);
  if (told_later) {
    accept.errors.clear();
    accept.text.clear();
  }
  std::string reply;
  if (part != ReplyPart::application && hl7::wanted(demand.accept, accept.code))
    reply = hl7::make_ack(message, accept);
  if (part == ReplyPart::accept || !stored || !answers_on_connection(channel) ||
      !(detail::wants_application_ack(channel, message, input.code) || (waits && told_later)))
    return reply;
  hl7::AckInput application = input;
  application.control_id += "A";
  application.accept_request = "NE";
  if (!reply.empty()) reply += channels::kReplySeparator;
  return reply + application_reply(message, application, made);
}

std::string build_reply(const channels::ChannelDefinition& channel, const NewMessage& message,
                        const Opened& opened, const hl7::AckInput& input, bool stored,
                        const std::string& made = {}, ReplyPart part = ReplyPart::whole) {
  if (message.kind != channels::ContentKind::hl7 || channel.ack == channels::AckMode::none) return {};
  if (!opened) {
    const bool close =
        channel.source_options.has("on_garbage") && channel.source_options.text("on_garbage") == "close";
    const hl7::Unparsable built = hl7::make_ack_for_unparsable(message.body, input);
    return close && !built.header ? std::string() : built.ack;
  }
  const hl7::Message& parsed = *opened->hl7();
  if (!hl7::may_acknowledge(parsed)) return {};
  const hl7::AckDemand demand = detail::demand_of(channel, parsed);
  if (demand.mode == hl7::AckMode::enhanced)
    return enhanced_reply(channel, parsed, demand, input, stored && !detail::is_fragment(channel, parsed), made, part);
  return application_reply(parsed, input, made);
}

}  // namespace

std::string make_reply(const channels::ChannelDefinition& channel, const NewMessage& message,
                       const Opened& opened, MessageId id, detail::ReplyVerdict verdict, ReplyPart part) {
  hl7::AckInput input;
  input.code = verdict.code;
  input.errors = std::move(verdict.errors);
  input.control_id = "K" + std::to_string(id);
  input.time = detail::ack_time(message.received);
  input.text = std::move(verdict.text);
  if (message.step) input.expected_sequence = message.step->decision.reply;
  return build_reply(channel, message, opened, input, true, verdict.made, part);
}

std::string make_reply(const channels::ChannelDefinition& channel, const NewMessage& message,
                       const Opened& opened, MessageId id, hl7::AckCode ack,
                       const std::vector<hl7::AckError>& errors, const std::string& text) {
  return make_reply(channel, message, opened, id, {ack, errors, text, {}}, ReplyPart::whole);
}

std::string make_refusal(const channels::ChannelDefinition& channel, const NewMessage& message,
                         const Opened& opened, hl7::AckCode ack, const base::Error& error,
                         base::WallTime now) {
  hl7::AckInput input;
  input.code = ack;
  input.errors.push_back(hl7::ack_error(error));
  input.control_id = "K0-" + std::to_string(now.micros);
  input.time = detail::ack_time(now);
  return build_reply(channel, message, opened, input, false);
}

}  // namespace kiln::engine
