#pragma once
// What an HL7 answer to a sent message means for delivery (hl7v2.md §11, reliability.md R5). Pure.

#include <string>

#include "channels/connector.h"

namespace kiln::channels::detail {

/// AA and CA: sent; AE, AR, CE, CR: negative; an answer to another message, or none that can be read:
/// in_doubt with ack_foreign or answer_unreadable. The answer is the outcome's reply.
SendOutcome judge_acknowledgement(std::string answer, const std::string& control_id);

}  // namespace kiln::channels::detail
