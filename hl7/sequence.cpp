#include "hl7/sequence.h"

namespace kiln::hl7 {

namespace {
constexpr std::size_t kDigitsMax = 15;  ///< MSH-13 is NM of 15
}

std::optional<std::int64_t> sequence_number(const Message& message, bool& malformed) {
  malformed = false;
  const FieldView field = message.header().field(13);
  if (!field.leaf().valued()) return std::nullopt;
  std::string buffer;
  std::string_view text = field.text(buffer);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t number = 0;
  malformed = text.empty() || text.size() > kDigitsMax;
  for (const char c : text.substr(0, kDigitsMax)) {
    malformed = malformed || c < '0' || c > '9';
    number = number * 10 + (c - '0');
  }
  if (negative) number = -number;
  malformed = malformed || number < -1;
  if (malformed) return std::nullopt;
  return number;
}

bool asks_for_number(const Message& message) {
  bool malformed = false;
  const auto number = sequence_number(message, malformed);
  return number && *number <= 0;
}

SequenceDecision check_sequence(const SequenceState& state, const Message& message) {
  SequenceDecision out;
  out.next = state;
  bool malformed = false;
  const auto number = sequence_number(message, malformed);
  const std::string wanted = state.last < 0 ? "-1" : std::to_string(state.last + 1);
  const auto decide = [&](SequenceVerdict verdict, std::string reply, bool take, bool positive) {
    out.verdict = verdict;
    out.reply = std::move(reply);
    out.take = take;
    out.positive = positive;
    return out;
  };
  if (malformed) return decide(SequenceVerdict::malformed, wanted, false, false);
  if (!number) {
    // On a frozen link nothing is taken, or it would overtake what is missing.
    return state.frozen ? decide(SequenceVerdict::unexpected, wanted, false, false)
                        : decide(SequenceVerdict::unnumbered, "", true, true);
  }
  if (*number == 0) return decide(SequenceVerdict::start, wanted, false, true);
  if (*number == -1) {
    out.next.resync = true;
    out.next.frozen = false;
    return decide(SequenceVerdict::resync, "-1", false, true);
  }
  const std::string echo = std::to_string(*number);
  if (state.last >= 0 && *number <= state.last && !state.resync)
    return decide(SequenceVerdict::repeated, echo, false, true);
  const bool is_next = state.last >= 0 && *number == state.last + 1 && !state.frozen;
  if (is_next || state.resync || (state.last < 0 && !state.frozen)) {
    out.next = {*number, false, false};
    return decide(SequenceVerdict::expected, echo, true, true);
  }
  out.next.frozen = true;
  return decide(SequenceVerdict::unexpected, wanted, false, false);
}

}  // namespace kiln::hl7
