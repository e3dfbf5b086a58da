#include "channels/connector.h"

namespace kiln::channels {

const char* name_of(ContentKind kind) {
  switch (kind) {
    case ContentKind::hl7:
      return "hl7";
    case ContentKind::fhir:
      return "fhir";
    case ContentKind::csv:
      return "csv";
  }
  return "";
}

const char* name_of(Unframed::Kind kind) {
  switch (kind) {
    case Unframed::Kind::garbage:
      return "garbage";
    case Unframed::Kind::oversize:
      return "oversize";
    case Unframed::Kind::cut_frame:
      return "cut-frame";
    case Unframed::Kind::unreadable:
      return "unreadable";
    case Unframed::Kind::refused_peer:
      return "refused-peer";
    case Unframed::Kind::refused_sender:
      return "refused-sender";
  }
  return "";
}

const char* name_of(ChangeAction action) {
  switch (action) {
    case ChangeAction::create:
      return "create";
    case ChangeAction::update:
      return "update";
    case ChangeAction::delete_:
      return "delete";
  }
  return "";
}

std::string_view Outgoing::rendered_option(std::string_view name) const {
  for (const auto& [option, value] : rendered)
    if (option == name) return value;
  return {};
}

SendOutcome SendOutcome::sent(std::string code, std::string reply) {
  SendOutcome out;
  out.kind = Kind::sent;
  out.code = std::move(code);
  out.reply = std::move(reply);
  return out;
}

SendOutcome SendOutcome::failed(Kind kind, base::Error why) {
  SendOutcome out;
  out.kind = kind;
  out.error = why.code;
  out.detail = why.message();
  return out;
}

const ConnectorSpec* find_connector(ConnectorRole role, std::string_view name) {
  for (const ConnectorSpec* spec : all_connectors())
    if (spec->role == role && name == spec->name) return spec;
  return nullptr;
}

std::span<const FieldSpec> ack_options() {
  static constexpr const char* kLate[] = {"AE", "AR", "AA", "close"};
  static constexpr FieldSpec kOptions[] = {
      {.name = "timeout",
       .type = FieldType::duration,
       .summary = "`on delivered`: how long the sender waits for its answer",
       .default_value = "30s",
       .min = 100,
       .max = 600'000},
      {.name = "late",
       .type = FieldType::word,
       .summary = "`on delivered`: the answer when the message is stored, and not delivered in that time; `close` ends the "
                  "connection without one",
       .default_value = "AE",
       .words = kLate},
      {.name = "of",
       .type = FieldType::words,
       .summary = "`on delivered`: destinations that must have the message; without it all that get it"},
      {.name = "reply",
       .type = FieldType::word,
       .summary = "the result of a `map` that answers instead of the plain acknowledgement; with `on delivered` also of a "
                  "`map … of DESTINATION`, which reads what that destination answered"},
  };
  return kOptions;
}

std::span<const FieldSpec> common_source_options() {
  static constexpr FieldSpec kOptions[] = {
      {.name = "hours",
       .type = FieldType::string,
       .summary = "when it is open: \"Mon-Fri 07:00-19:00, Sat 08:00-12:00\", in the time zone of the channel; outside nothing is "
                  "read, and connections stay. Without it, always"},
  };
  return kOptions;
}

std::span<const FieldSpec> common_destination_options() {
  static constexpr FieldSpec kOptions[] = {
      {.name = "hours",
       .type = FieldType::string,
       .summary = "when it is sent to: \"Mon-Fri 07:00-19:00, Sat 08:00-12:00\", in the time zone of the channel; outside "
                  "messages wait. Without it, always"},
      {.name = "connections",
       .type = FieldType::integer,
       .summary = "parallel sends; more than 1 needs `order by`",
       .default_value = "1",
       .min = 1,
       .max = 64},
      {.name = "order",
       .type = FieldType::expressions,
       .summary = "strict order per key, different keys side by side; with one connection the order is strict anyway"},
      {.name = "retry",
       .type = FieldType::retry,
       .summary = "how often and how fast a failed send is tried again",
       .default_value = "forever backoff 1s..60s jitter"},
      {.name = "nak",
       .type = FieldType::nak,
       .summary = "what becomes of a message that is answered `AE`, `AR`, `CE` (by itself as AE), `CR` (as AR), not in time "
                  "(`timeout`) or for another message (`mismatch`): `retry`, `block` (the destination waits for an operator), "
                  "`quarantine`, or `skip` (it ends here as rejected, or expired, and is not sent again)",
       .default_value = "AE retry, AR block, timeout retry, mismatch retry",
       .repeated = true},
  };
  return kOptions;
}

}  // namespace kiln::channels
