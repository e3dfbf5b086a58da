#pragma once
// The sequence number protocol of one link (std 2.9.1): MSH-13 of what comes, MSA-4 of what is answered.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hl7/message.h"

namespace kiln::hl7 {

/// What the receiver of a link remembers, durably, before it answers.
struct SequenceState {
  std::int64_t last = -1;  ///< number last accepted; -1 = none
  bool resync = false;     ///< the next positive number is taken whatever it is
  bool frozen = false;  ///< a number came out of order: nothing is taken before an operator resets the link
  bool operator==(const SequenceState&) const = default;
};

enum class SequenceVerdict : std::uint8_t {
  unnumbered,  ///< MSH-13 is not valued: taken, not counted
  start,       ///< 0: asks where to go on; nothing but the answer is done
  resync,      ///< -1: the sender names its own number next
  expected,    ///< taken
  repeated,    ///< the number accepted last: the stored answer again
  unexpected,  ///< CE or AE with the expected number; the link is frozen
  malformed,   ///< MSH-13 holds no number from -1 on
};

struct SequenceDecision {
  SequenceVerdict verdict = SequenceVerdict::unnumbered;
  SequenceState next;    ///< to be stored with the message, before the answer leaves
  std::string reply;     ///< MSA-4; empty = none
  bool take = true;      ///< the message is to be processed
  bool positive = true;  ///< the answer is AA or CA
};

/// MSH-13 as a number; nothing when it is absent or null. `malformed` is set when it is valued and no number.
std::optional<std::int64_t> sequence_number(const Message& message, bool& malformed);
/// MSH-13 is 0 or -1: the message starts or resets the numbers of the link and says nothing else.
bool asks_for_number(const Message& message);
/// Pure: the same state and message give the same decision.
SequenceDecision check_sequence(const SequenceState& state, const Message& message);

}  // namespace kiln::hl7
