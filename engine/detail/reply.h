#pragma once
// Acknowledgements of a channel: which of them a message gets, and when (hl7v2.md §11).

#include "channels/definition.h"
#include "engine/base/partial_date.h"
#include "hl7/ack.h"
#include "hl7/message.h"

namespace kiln::engine::detail {

/// MSH-7 of an answer: the receive time in UTC, to the second.
base::PartialDate ack_time(base::WallTime received);

/// What the message asks for, as the channel's `ack` allows it.
hl7::AckDemand demand_of(const channels::ChannelDefinition& channel, const hl7::Message& message);

/// A part of a message (DSC, MSH-14) that the channel joins with the others before it is mapped. Its own answer is
/// the accept acknowledgement only; the whole message is acknowledged as the first part (hl7v2.md §10).
bool is_fragment(const channels::ChannelDefinition& channel, const hl7::Message& message);

/// Whether an application acknowledgement of that code is owed as an exchange of its own: enhanced mode,
/// MSH-16 asks for it, and the message was not refused at once (CR).
bool wants_application_ack(const channels::ChannelDefinition& channel, const hl7::Message& message,
                           hl7::AckCode code);

/// The application acknowledgement leaves on the connection of the message.
bool answers_on_connection(const channels::ChannelDefinition& channel);

/// What an answer says.
struct ReplyVerdict {
  hl7::AckCode code = hl7::AckCode::AA;
  std::vector<hl7::AckError> errors;
  std::string text;  ///< one line for people
  std::string made;  ///< what a map made instead of the plain acknowledgement; empty: nothing
};

/// Of an answer in enhanced mode: both acknowledgements, the one that says it is stored, or the one that follows it. In
/// original mode there is one, which is whole.
enum class ReplyPart : std::uint8_t { whole, accept, application };

}  // namespace kiln::engine::detail
