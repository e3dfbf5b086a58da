#include "engine/process.h"

#include "engine/journal/seen_set.h"

#include <cstring>

#include "channels/doors.h"
#include "engine/base/text.h"
#include "engine/detail/input.h"
#include "engine/detail/reply.h"
#include "hl7/message.h"
#include "mappings/field_coverage.h"

namespace kiln::engine {

using base::ErrorCode;
using channels::ContentKind;
using detail::Input;
using Verdict = Plan::Verdict;

namespace {

hl7::AckError plain_error(int code, std::string text) {
  hl7::AckError error;
  error.code = code;
  error.text = std::move(text);
  return error;
}

void reject(Plan& plan, std::string_view ack, int code, std::string reason, std::string stable_code) {
  plan.verdict = Verdict::rejected;
  plan.ack = ack == "AE" ? hl7::AckCode::AE : hl7::AckCode::AR;
  plan.errors.push_back(plain_error(code, reason));
  plan.reason = std::move(reason);
  plan.code = std::move(stable_code);
}

void not_accepted(Plan& plan, const channels::AcceptElse& otherwise, int fallback_code,
                  std::string fallback_text) {
  std::string text = otherwise.text.empty() ? std::move(fallback_text) : otherwise.text;
  switch (otherwise.kind) {
    case channels::AcceptElse::Kind::reject:
      return reject(plan, otherwise.ack, otherwise.code_given ? otherwise.code : fallback_code,
                    std::move(text), "not-accepted");
    case channels::AcceptElse::Kind::quarantine:
      plan.verdict = Verdict::quarantined;
      break;
    case channels::AcceptElse::Kind::skip:
      plan.verdict = Verdict::filtered;
      break;
  }
  plan.code = "not-accepted";
  plan.reason = std::move(text);
}

/// The place of a rejection ("PID-3[1].4") as ERL parts, when it is one in a v2 message.
void set_location(hl7::AckError& error, std::string_view location) {
  if (location.size() < 5 || location[3] != '-' || hl7::segment_id(location.substr(0, 3)) == 0) return;
  error.segment = location.substr(0, 3);
  std::uint32_t* const parts[] = {&error.field, &error.component, &error.subcomponent};
  std::size_t part = 0;
  std::uint32_t* target = parts[0];
  for (const char c : location.substr(4)) {
    if (c >= '0' && c <= '9')
      *target = *target * 10 + static_cast<std::uint32_t>(c - '0');
    else if (c == '[')
      target = &error.repetition;
    else if (c == '.' && ++part < 3)
      target = parts[part];
    else if (c != ']')
      return;
  }
}

/// What is wrong with the message as such: nothing of it can be mapped.
void reject_unreadable(Plan& plan, const base::Error& error) {
  reject(plan, "AR", error.info().hl7_0357, error.text.empty() ? error.info().text : error.text,
         error.info().code);
}

struct MapResult {
  std::string name;
  mappings::RunResult result;
};

/// Takes over an ending other than success. True when the plan is decided.
bool take_outcome(Plan& plan, mappings::RunResult& result) {
  switch (result.outcome) {
    case mappings::Outcome::ok:
    case mappings::Outcome::ok_with_warnings:
      return false;
    case mappings::Outcome::rejected:
      reject(plan, result.ack_code, result.error_code, result.reason, "mapping-require");
      set_location(plan.errors.back(), result.location);
      return true;
    case mappings::Outcome::quarantined:
      plan.code = "mapping-require";
      break;
    case mappings::Outcome::failed:
      plan.code = result.error == ErrorCode::limit_exceeded ? "budget" : base::error_info(result.error).code;
      break;
  }
  plan.verdict = Verdict::quarantined;
  plan.reason = result.reason;
  return true;
}

/// Rows that quarantined themselves become messages of their own, ended at once (hmap.md §11).
void detach_rows(Plan& plan, const NewMessage& message, const Input& input,
                 const mappings::RunResult& result) {
  for (const mappings::QuarantinedRows& rows : result.children) {
    NewMessage child;
    child.channel = message.channel;
    child.kind = ContentKind::csv;
    child.received = message.received;
    // A part is no message that was handed on.
    child.peer = message.peer.starts_with(channels::kChainPeer) ? "part" : message.peer;
    child.name = message.name;
    child.type = message.type;
    child.config_hash = message.config_hash;
    child.body = input.rows_text(rows.rows);
    Ending ending;
    ending.destination = kNoDestination;
    ending.state = DeliveryState::quarantined;
    ending.code = "mapping-require";
    ending.detail = rows.reason;
    plan.children.push_back(std::move(child));
    plan.child_endings.push_back(std::move(ending));
  }
}

std::string control_id_of(std::string_view hl7_text) {
  auto message = hl7::Message::parse(std::string(hl7_text));
  return message ? message->header().field(10).to_text() : std::string();
}

Ending ended(const std::string& destination, DeliveryState state, const char* code) {
  Ending ending;
  ending.destination = destination;
  ending.state = state;
  ending.code = code;
  return ending;
}

/// One message on its way through a channel.
class Run {
 public:
  Run(mappings::Runner& runner, mappings::LookupService* lookups, const mappings::Program& expressions,
      const channels::ChannelDefinition& channel, const NewMessage& message, const Input& input,
      bool look_at_fields, const base::Clock* clock)
      : runner_(runner),
        lookups_(lookups),
        expressions_(expressions),
        channel_(channel),
        message_(message),
        input_(input),
        look_at_fields_(look_at_fields),
        context_(input.context()) {
    context_.clock = clock;
  }

  Plan plan() {
    recall();
    if (!input_.is_accepted()) {
      not_accepted(plan_, channel_.accept_else, input_.refusal_code(), input_.refusal_text());
    } else if (!holds(channel_.accept_where)) {
      not_accepted(plan_, channel_.accept_else, 201, "the channel does not take this message");
    } else if (validate() && run_maps()) {
      for (const auto& destination : channel_.destinations)
        if (!destination.acks) route(destination);
    }
    for (const auto& destination : channel_.destinations)
      if (destination.acks) route_ack(destination);
    if (!channel_.ack_policy.reply.empty())
      if (const mappings::RunResult* reply = result_of(channel_.ack_policy.reply)) plan_.reply = reply->output;
    if (!record_.answers.empty()) plan_.lookups = mappings::print_answers(record_.answers);
    return std::move(plan_);
  }

 private:
  /// The answers that were stored with the message count; what could not be asked then is asked again.
  void recall() {
    record_.answers = mappings::recorded_answers(message_.lookups);
  }

  bool holds(const std::optional<channels::SiteExpression>& expression) {
    return !expression || runner_.evaluate_condition(expressions_, expression->per_accept[input_.accepted()],
                                                     input_.run_input(), context_);
  }

  std::string text(const channels::SiteExpression& expression) {
    return runner_.evaluate_text(expressions_, expression.per_accept[input_.accepted()], input_.run_input(),
                                 context_);
  }

  /// False when the message has errors and the channel takes none.
  bool validate() {
    if (channel_.validator == nullptr || input_.hl7() == nullptr) return true;
    const hl7::ValidationReport report = channel_.validator->validate(*input_.hl7());
    if (report.ok()) return true;
    hl7::ValidationAck ack = hl7::ack_of(report);
    plan_.verdict = channel_.validate_quarantines ? Verdict::quarantined : Verdict::rejected;
    plan_.ack = ack.code;
    plan_.code = "validation";
    for (const hl7::Finding& finding : report.findings) {
      if (finding.severity != base::Severity::error) continue;
      plan_.reason = finding.path + ": " + finding.text;
      break;
    }
    if (report.errors > 1) plan_.reason += ", and " + std::to_string(report.errors - 1) + " more";
    plan_.errors = std::move(ack.errors);
    return false;
  }

  /// A map that does not take this type of message gives nothing for it; the site check has seen to it that
  /// another does.
  bool takes(const channels::MapRoute& route) const {
    return input_.accepted() >= route.takes.size() || route.takes[input_.accepted()];
  }

  /// False when a map decided about the whole message.
  bool run_maps() {
    for (const channels::MapRoute& route : channel_.maps) {
      if (!takes(route) || !holds(route.condition)) continue;
      mappings::RunResult& result =
          mappings::run_with_lookups(runner_, route.program, input_.run_input(), context_, lookups_, record_);
      for (auto& diagnostic : result.diagnostics) plan_.diagnostics.push_back(std::move(diagnostic));
      plan_.dropped_diagnostics += result.dropped_diagnostics;
      if (look_at_fields_) mappings::merge(plan_.fields, runner_.input_values());
      if (take_outcome(plan_, result)) return false;
      detach_rows(plan_, message_, input_, result);
      results_.push_back({route.result, std::move(result)});
    }
    return true;
  }

  const mappings::RunResult* result_of(const std::string& name) const {
    for (const MapResult& result : results_)
      if (result.name == name && !result.result.output.empty()) return &result.result;
    return nullptr;
  }

  /// The application acknowledgement of enhanced mode, as an exchange of its own (hl7v2.md §11).
  void route_ack(const channels::DestinationDefinition& destination) {
    hl7::AckInput input;
    input.code = plan_.verdict == Verdict::rejected ? plan_.ack : hl7::AckCode::AA;
    input.errors = plan_.verdict == Verdict::rejected ? plan_.errors : std::vector<hl7::AckError>();
    input.text = plan_.verdict == Verdict::rejected ? plan_.reason : std::string();
    const bool again = message_.replay_of != 0;  // its sender was told when it came
    if (input_.hl7() == nullptr || again ||
        !detail::wants_application_ack(channel_, *input_.hl7(), input.code)) {
      plan_.endings.push_back(ended(destination.name, DeliveryState::filtered, "no-ack-wanted"));
      return;
    }
    if (!input_.is_accepted() || !holds(destination.condition)) {
      plan_.endings.push_back(ended(destination.name, DeliveryState::filtered, "condition"));
      return;
    }
    // The number of the message is not known yet; its content is.
    const std::string identity = channel_.name + '\r' + std::to_string(message_.received.micros) + '\r';
    input.control_id = "A" + base::sha256_hex(identity + message_.body).substr(0, 18);
    input.time = detail::ack_time(message_.received);
    input.accept_request = "AL";
    Output output;
    output.destination = destination.name;
    output.kind = ContentKind::hl7;
    output.control_id = input.control_id;
    output.body = hl7::make_ack(*input_.hl7(), input);
    plan_.outputs.push_back(std::move(output));
  }

  /// Queues what the destination gets, or says why it gets nothing.
  void route(const channels::DestinationDefinition& destination) {
    const bool is_source = destination.from == "source";
    const mappings::RunResult* from = is_source ? nullptr : result_of(destination.from);
    if (!is_source && from == nullptr) {
      plan_.endings.push_back(ended(destination.name, DeliveryState::filtered, "no-output"));
    } else if (!holds(destination.condition)) {
      plan_.endings.push_back(ended(destination.name, DeliveryState::filtered, "condition"));
    } else if (std::string_view(destination.connector->name) == "drop") {
      plan_.endings.push_back(ended(destination.name, DeliveryState::sent, "dropped"));
    } else {
      queue(destination, from);
    }
  }

  void queue(const channels::DestinationDefinition& destination, const mappings::RunResult* from) {
    Output output;
    output.destination = destination.name;
    output.kind = destination.kind;
    output.is_source = from == nullptr;
    if (from == nullptr) {
      output.control_id = message_.control_id;
    } else {
      output.body = from->output;
      output.csv_header = from->csv_header;
      if (output.kind == ContentKind::hl7) output.control_id = control_id_of(output.body);
    }
    for (const auto& name : destination.templates) {
      std::vector<std::string> values;
      for (const auto& part : name.parts) values.push_back(text(part));
      auto rendered = channels::render(name, destination.options, values);
      if (!rendered) {
        plan_.endings.push_back(
            ended(destination.name, DeliveryState::quarantined, rendered.error().info().code));
        plan_.endings.back().detail = rendered.error().text;
        return;
      }
      output.rendered.emplace_back(name.option, std::move(*rendered));
    }
    if (!destination.order.empty()) output.order_key = order_key(destination, output);
    plan_.outputs.push_back(std::move(output));
  }

  /// The key of `order by`, marked with which `order by` it is of. What cannot be read has the empty key: all such are
  /// in order among each other.
  std::string order_key(const channels::DestinationDefinition& destination, const Output& output) {
    std::string key = destination.order_id;
    if (output.is_source) {
      for (const auto& part : destination.order) key += ':' + text(part);
      return key;
    }
    std::optional<hl7::Message> message;
    base::JsonDocument json;
    mappings::RunInput input = json.root();
    if (output.kind == ContentKind::hl7) {
      auto parsed = hl7::Message::parse(output.body);
      if (!parsed) return key;
      message = std::move(*parsed);
      input = &*message;
    } else {
      auto parsed = base::parse_json(output.body);
      if (!parsed) return key;
      json = std::move(*parsed);
      input = json.root();
    }
    for (const auto& part : destination.order)
      key += ':' + runner_.evaluate_text(expressions_, part.per_accept.front(), input, context_);
    return key;
  }

  mappings::Runner& runner_;
  mappings::LookupService* lookups_;
  mappings::LookupRecord record_;
  const mappings::Program& expressions_;
  const channels::ChannelDefinition& channel_;
  const NewMessage& message_;
  const Input& input_;
  const bool look_at_fields_;
  mappings::RunContext context_;
  Plan plan_;
  std::vector<MapResult> results_;
};

}  // namespace

Opened open_message(const channels::Site& site, const channels::ChannelDefinition& channel,
                    const NewMessage& message) {
  return Input::read(site, channel, message);
}

void identify(const channels::ChannelDefinition& channel, const std::string& source_key, const Opened& opened,
              NewMessage& message) {
  std::string key = source_key, names;
  if (message.kind == ContentKind::hl7) {
    if (opened) {
      const hl7::SegmentView header = opened->hl7()->header();
      message.type = header.field(9).raw();
      message.control_id = header.field(10).to_text();
      if (key.empty() && !message.control_id.empty()) {
        for (const std::uint32_t field : {3u, 4u, 10u}) {
          names += header.field(field).raw();
          names += '\r';
        }
        key = names + base::sha256(message.body);
      }
    }
  } else if (message.kind == ContentKind::fhir) {
    message.type = message.name.substr(0, message.name.find('/'));
  } else {
    message.type = "csv";
  }
  if (key.empty()) return;
  const std::string hash = base::sha256(channel.name + "\r" + key);
  std::memcpy(message.dedupe.data(), hash.data(), message.dedupe.size());
  message.by_control_id = !names.empty();
  if (names.empty()) return;
  const std::string of_names = base::sha256(channel.name + "\r" + names);
  std::memcpy(message.dedupe.data(), of_names.data(), SeenSet::kNameBytes);
}

/// A message that its numbered link does not take: it asks for, or is told, the number to go on with.
Plan plan_of_step(const hl7::SequenceDecision& decision) {
  Plan plan;
  if (decision.positive) {
    plan.verdict = Verdict::filtered;
    plan.code = decision.verdict == hl7::SequenceVerdict::start ? "sequence-start" : "sequence-resync";
    return plan;
  }
  const bool used = decision.verdict == hl7::SequenceVerdict::repeated;
  reject(plan, "AE", 207,
         used ? std::string("the number of MSH-13 was used by another message")
         : decision.verdict == hl7::SequenceVerdict::unexpected
             ? "the numbered link is frozen until an operator lets it go on (kiln resume CHANNEL); expected is " + decision.reply
             : "MSH-13 is not the number that is expected, " + decision.reply,
         kSequenceCode);
  plan.errors.back().segment = "MSH";
  plan.errors.back().field = 13;
  plan.at_once = true;
  return plan;
}

Plan plan_of_fragment() {
  Plan plan;
  plan.verdict = Verdict::filtered;
  plan.code = kFragmentCode;
  return plan;
}

Plan Processor::process(const channels::Site& site, const channels::ChannelDefinition& channel,
                        const NewMessage& message) {
  return process(site, channel, message, open_message(site, channel, message));
}

Plan Processor::process(const channels::Site& site, const channels::ChannelDefinition& channel,
                        const NewMessage& message, const Opened& input, bool look_at_fields) {
  if (message.step && !message.step->decision.take) return plan_of_step(message.step->decision);
  if (input && input->hl7() != nullptr && detail::is_fragment(channel, *input->hl7()))
    return plan_of_fragment();
  if (input) {
    mappings::LookupService* lookups = lookups_ == nullptr ? nullptr : lookups_->lookups(site);
    return Run(runner_, lookups, site.expressions, channel, message, *input, look_at_fields, clock_).plan();
  }
  Plan plan;
  if (message.kind == ContentKind::hl7) {
    reject_unreadable(plan, input.error());
  } else {
    plan.verdict = Verdict::quarantined;
    plan.code = "parse";
    plan.reason = input.error().text.empty() ? input.error().info().text : input.error().text;
    if (!input.error().place.empty()) plan.reason += " (" + input.error().place + ")";
  }
  return plan;
}

base::Result<std::string> Processor::map_reply(const channels::Site& site,
                                               const channels::ChannelDefinition& channel,
                                               const mappings::Program& program, const std::string& answer,
                                               base::WallTime received) {
  channels::ChannelDefinition definition;  // the answer is read by no `accept`
  definition.name = channel.name;
  channels::MapRoute route;
  route.program = program;
  definition.maps.push_back(std::move(route));
  NewMessage message;
  message.channel = channel.name;
  message.kind = channels::ContentKind::hl7;
  if (program.input().kind == mappings::DataKind::fhir) message.kind = ContentKind::fhir;
  message.received = received;
  message.body = answer;
  TRY(const Input input, Input::read(site, definition, message));
  mappings::LookupRecord record;
  mappings::RunContext context = input.context();
  context.clock = clock_;
  mappings::LookupService* lookups = lookups_ == nullptr ? nullptr : lookups_->lookups(site);
  mappings::RunResult& result =
      mappings::run_with_lookups(runner_, program, input.run_input(), context, lookups, record);
  if (!result.ok()) return base::fail(ErrorCode::cannot_deliver, result.reason);
  return std::move(result.output);
}

}  // namespace kiln::engine
