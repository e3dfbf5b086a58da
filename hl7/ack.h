#pragma once
// Acknowledgements: building, deciding, reading (std 2.9.2, 2.9.3, hl7v2.md §11). Pure functions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/partial_date.h"
#include "engine/base/result.h"
#include "hl7/message.h"

namespace kiln::hl7 {

/// Table 0008.
enum class AckCode : std::uint8_t { AA, AE, AR, CA, CE, CR };
std::string_view name_of(AckCode code);
std::optional<AckCode> ack_code(std::string_view name);
constexpr bool is_positive(AckCode code) {
  return code == AckCode::AA || code == AckCode::CA;
}
constexpr bool is_accept(AckCode code) {
  return code >= AckCode::CA;
}

/// One problem, for ERR. Numbers from 1, 0 = not that deep. `text` goes to the sender: no patient data.
struct AckError {
  std::string segment;  ///< "PID"; empty when the problem has no place
  std::uint32_t sequence = 1, field = 0, repetition = 0, component = 0, subcomponent = 0;
  int code = 207;                ///< table 0357
  char severity = 'E';           ///< table 0516: E, W, I
  std::string text;              ///< ERR-7, or empty
  std::string user_text;         ///< ERR-8, or empty
  std::string application_code;  ///< ERR-5, or empty
};
/// The table 0357 code and text of an error code, at a place of the message.
AckError ack_error(const base::Error& error, const Message* message = nullptr, const Location& location = {});

/// What MSH-9 names. Empty parts are not known.
struct MessageType {
  std::string code, trigger, structure;
  bool operator==(const MessageType&) const = default;
};

struct AckInput {
  AckCode code = AckCode::AA;
  /// MSH-9 of the answer, for a response other than the general acknowledgement (choreography.h): ORR^O02 has
  /// nothing but MSH, MSA and ERR then. Empty code: ACK with the event of the message.
  MessageType type;
  std::vector<AckError> errors;   ///< at most limits::kAckErrorsMax are written
  std::string control_id;         ///< MSH-10 of the ACK
  base::PartialDate time;         ///< MSH-7 of the ACK
  std::string text;               ///< MSA-3, written for versions up to 2.6; empty = the first error's text
  std::string expected_sequence;  ///< MSA-4, or empty
  /// Application acknowledgement in enhanced mode: MSH-15 of it (AL, NE, ER, SU); MSH-16 is then NE. Empty
  /// for original mode and for accept acknowledgements.
  std::string accept_request;
};

/// The ACK of a message, with its delimiters, character set, version and processing id. Never fails: values
/// that cannot be written with these delimiters are left out of optional fields, and the standard delimiters
/// are used when MSA-2 needs them.
std::string make_ack(const Message& message, const AckInput& input);

struct Unparsable {
  std::string ack;      ///< the built message
  bool header = false;  ///< true when a header could be read from the bytes
};
/// The ACK of bytes that are no message: header and MSA-2 as far as they can be read from the first 4 KB,
/// else a built header of version 2.5.1 with empty MSA-2.
Unparsable make_ack_for_unparsable(std::string_view bytes, const AckInput& input);

enum class AckMode : std::uint8_t { original, enhanced };
/// When MSH-15 or MSH-16 asks for an answer (table 0155).
enum class AckCondition : std::uint8_t { always, never, on_error, on_success };

struct AckDemand {
  AckMode mode = AckMode::original;
  AckCondition accept = AckCondition::never;        ///< of the accept ACK; never in original mode
  AckCondition application = AckCondition::always;  ///< of the application ACK
  bool unknown_condition = false;  ///< MSH-15 or MSH-16 holds no code of table 0155; read as AL
};
/// `empty_is` is what an empty MSH-15 or MSH-16 counts as when the other one is valued.
AckDemand ack_demand(const Message& message, AckCondition empty_is = AckCondition::never);
/// Whether an ACK of that code is to be sent under that condition.
constexpr bool wanted(AckCondition condition, AckCode code) {
  switch (condition) {
    case AckCondition::always:
      return true;
    case AckCondition::never:
      return false;
    case AckCondition::on_error:
      return !is_positive(code);
    case AckCondition::on_success:
      return is_positive(code);
  }
  return true;
}

/// False for what must never be acknowledged: MSH-9.1 = ACK, or an MSA segment without MSH-15 = AL.
bool may_acknowledge(const Message& message);

enum class AckVerdict : std::uint8_t {
  application_accept,  ///< AA
  application_error,   ///< AE
  application_reject,  ///< AR
  accept,              ///< CA: stored by the receiver, nothing said about the content
  accept_error,        ///< CE
  accept_reject,       ///< CR
  foreign,             ///< MSA-2 is not the id that was sent
  unreadable,          ///< no HL7 message, no MSA, or MSA-1 is no code of table 0008
};
std::string_view name_of(AckVerdict verdict);

struct AckOutcome {
  AckVerdict verdict = AckVerdict::unreadable;
  std::string control_id;   ///< MSA-2 decoded, as far as readable
  int error_code = 0;       ///< table 0357 code of the first ERR; 0 when there is none
  std::string error_place;  ///< "PID-3[1].4" of the first ERR, or empty
};
/// Reads an answer. `expected_control_id` is the decoded MSH-10 that was sent; equal means byte for byte.
AckOutcome parse_ack(std::string_view bytes, std::string_view expected_control_id);

}  // namespace kiln::hl7
