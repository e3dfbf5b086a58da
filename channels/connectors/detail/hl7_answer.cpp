#include "channels/connectors/detail/hl7_answer.h"

#include "hl7/ack.h"

namespace kiln::channels::detail {

using base::ErrorCode;
using Kind = SendOutcome::Kind;

SendOutcome judge_acknowledgement(std::string answer, const std::string& control_id) {
  const auto ack = hl7::parse_ack(answer, control_id);
  const auto negative = [&](const char* code) {
    SendOutcome out = SendOutcome::failed(Kind::negative, base::Error{ErrorCode::peer_negative, "", "", ""});
    out.code = code;
    if (ack.error_code != 0) out.detail += ", error code " + std::to_string(ack.error_code);
    out.reply = std::move(answer);
    return out;
  };
  switch (ack.verdict) {
    case hl7::AckVerdict::application_accept:
      return SendOutcome::sent("AA", std::move(answer));
    case hl7::AckVerdict::accept:
      return SendOutcome::sent("CA", std::move(answer));
    case hl7::AckVerdict::application_error:
      return negative("AE");
    case hl7::AckVerdict::application_reject:
      return negative("AR");
    case hl7::AckVerdict::accept_error:
      return negative("CE");
    case hl7::AckVerdict::accept_reject:
      return negative("CR");
    case hl7::AckVerdict::foreign:
    case hl7::AckVerdict::unreadable:
      break;
  }
  const bool foreign = ack.verdict == hl7::AckVerdict::foreign;
  SendOutcome out = SendOutcome::failed(
      Kind::in_doubt,
      base::Error{foreign ? ErrorCode::ack_foreign : ErrorCode::answer_unreadable, "", "", ""});
  out.reply = std::move(answer);
  return out;
}

}  // namespace kiln::channels::detail
