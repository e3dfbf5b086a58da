#pragma once
// What becomes of one message: filter, maps, outputs, acknowledgement. Pure: the same bytes, receive time,
// site and answers of lookups give the same plan, so recovery and replay re-derive it (architecture.md §2).

#include <string>
#include <vector>

#include "channels/definition.h"
#include "engine/detail/input.h"
#include "engine/detail/reply.h"
#include "engine/journal/journal.h"
#include "engine/lookups.h"
#include "hl7/ack.h"
#include "mappings/program.h"

namespace kiln::engine {

/// Decision about a message, before it has a number.
struct Plan {
  enum class Verdict : std::uint8_t { accepted, rejected, quarantined, filtered } verdict = Verdict::accepted;
  /// Of a rejection: AE or AR (CE, CR in enhanced mode), its errors for ERR, and one line for people.
  hl7::AckCode ack = hl7::AckCode::AA;
  std::vector<hl7::AckError> errors;
  bool at_once = false;  ///< rejected before it was mapped: answered so whatever `ack on` says
  std::string
      code;  ///< stable code of the reason: "mapping-require", "accept", an error code; empty when accepted
  std::string reason;  ///< one line without patient data
  std::vector<Output> outputs;
  std::vector<Ending> endings;       ///< destinations that end at once: filtered, dropped
  std::vector<NewMessage> children;  ///< detached CSV rows
  std::vector<Ending> child_endings;
  std::vector<mappings::RunDiagnostic> diagnostics;
  std::uint64_t dropped_diagnostics = 0;     ///< beyond those a run lists
  std::vector<mappings::InputValue> fields;  ///< with `look_at_fields`: which valued leaves the maps read
  std::string lookups;  ///< every answer the maps were given (mappings::print_answers); empty: none was asked
  std::string reply;    ///< what `ack … { reply NAME }` names, when a map made it
};

/// Plan::code of a message that a numbered link refused.
inline constexpr const char* kSequenceCode = "sequence";
/// Of a fragment: the message it is a part of has a number of its own. Of one whose others did not come.
inline constexpr const char* kFragmentCode = "fragment";
inline constexpr const char* kIncompleteCode = "fragments-missing";

/// A message parsed once, or why it cannot be; identify, process and make_reply all read from it.
using Opened = base::Result<detail::Input>;
Opened open_message(const channels::Site& site, const channels::ChannelDefinition& channel,
                    const NewMessage& message);

/// Type, control id and dedupe key of an input (reliability.md R3). `message.body`, `channel`, `kind` and
/// `name` are set.
void identify(const channels::ChannelDefinition& channel, const std::string& source_key, const Opened& opened,
              NewMessage& message);

/// One per thread: it keeps the map runner's buffers.
class Processor {
 public:
  Plan process(const channels::Site& site, const channels::ChannelDefinition& channel,
               const NewMessage& message);
  /// `look_at_fields` fills Plan::fields, which costs as much as a small map.
  Plan process(const channels::Site& site, const channels::ChannelDefinition& channel,
               const NewMessage& message, const Opened& opened, bool look_at_fields = false);

  /// What a map makes of the answer of a destination. Errors: of the parsers; cannot_deliver with the reason when the map
  /// refuses it.
  base::Result<std::string> map_reply(const channels::Site& site, const channels::ChannelDefinition& channel,
                                      const mappings::Program& program, const std::string& answer,
                                      base::WallTime received);

  /// Where lookups are answered; nullptr (also before this call): they cannot be asked. Outlives the
  /// processor.
  void use_lookups(LookupProvider* provider) { lookups_ = provider; }
  /// Bounds the time of a map (kMapMillisecondsMax); nullptr (also before this call): its steps alone do. Outlives
  /// the processor.
  void use_clock(const base::Clock* clock) { clock_ = clock; }

 private:
  mappings::Runner runner_;
  LookupProvider* lookups_ = nullptr;
  const base::Clock* clock_ = nullptr;
};

/// The reply to an hl7 message, or empty when none is to be sent: a function of the stored message, its
/// number and the plan. `duplicate` answers of accepted messages are the same bytes.
std::string make_reply(const channels::ChannelDefinition& channel, const NewMessage& message,
                       const Opened& opened, MessageId id, hl7::AckCode ack,
                       const std::vector<hl7::AckError>& errors, const std::string& text);
/// The same of a verdict. What a map made gets the MSA-2, and where it is empty MSH-3 to 7, 10, 11 and 12, that belong to
/// the message; what is no message with an MSA is not used.
std::string make_reply(const channels::ChannelDefinition& channel, const NewMessage& message, const Opened& opened,
                       MessageId id, detail::ReplyVerdict verdict,
                       detail::ReplyPart part = detail::ReplyPart::whole);
/// The reply when nothing could be stored; has no number.
std::string make_refusal(const channels::ChannelDefinition& channel, const NewMessage& message,
                         const Opened& opened, hl7::AckCode ack, const base::Error& error,
                         base::WallTime now);

}  // namespace kiln::engine
