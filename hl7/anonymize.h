#pragma once
// Messages without what tells who the patient is, with the same structure and formats.
//
// What is done with a value follows from the datatype that the dictionary of the message's version gives its
// place, so nothing passes because somebody forgot to list a field:
//   names (PN XPN XCN CN PPN)       invented words, the same for the same name
//   identifiers (CX CK EI, XCN.1, DLN, ST that holds digits and no space)
//                                   other digits and letters of the same form; equal ones stay equal,
//                                   different ones different; check digits of CX are made anew for M10 and
//                                   M11
//   addresses, telephones (XAD AD SAD XTN TN)  invented; state, country, type and use codes stay; e-mail
//                                   becomes name@example.org
//   dates and times                 taken back by 1 to 365 days, the same for all dates of a patient; time of
//                                   day, precision and offset stay; a birth more than 89 years before the
//                                   message becomes one of 90 years before it
//   organisations (XON), rooms and beds (PL)   invented words, other numbers
//   documents (ED, RP), free text (FT, TX, other ST, names behind local codes)   REDACTED
//   numbers, codes, sequence numbers, assigning authorities, MSH   stay; a code that is long or holds spaces
//   is
//                                   taken for text
//   Z segments, fields beyond the definition, lines without a name   by `local`
// A patient is PID-3.1 (else PID-2.1, else MSH-10) of the nearest PID before, or the first one. This removes
// the identifiers of a message as the table says; whether the result is anonymous in law is for its user.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "hl7/detail/pseudonym.h"
#include "hl7/message.h"

namespace kiln::hl7 {

enum class AnonymizeLocal : std::uint8_t {
  redact,  ///< identifier-like parts become other identifiers, dates shift, all else is REDACTED
  remove,  ///< Z segments and lines without a name go, fields beyond the definition are emptied
  keep,
};
enum class AnonymizeText : std::uint8_t { redact, keep };

struct AnonymizeOptions {
  std::string key;  ///< secret bytes; at least 16 for results that are to be compared with later ones
  AnonymizeLocal local = AnonymizeLocal::redact;
  AnonymizeText text = AnonymizeText::redact;
};

enum class AnonymizeRule : std::uint8_t {
  name,
  identifier,
  address,
  contact,
  date,
  organisation,
  location,
  document,
  text,
  local
};
std::string_view name_of(AnonymizeRule rule);

/// Path without indexes ("PID-3.1") and rule, with how often it was done.
using AnonymizeReport = std::map<std::pair<std::string, AnonymizeRule>, std::uint64_t>;

/// Thread rule: one thread at a time; use one object per thread with the same key for the same results.
class Anonymizer {
 public:
  explicit Anonymizer(AnonymizeOptions options);
  /// The message with replaced values, in its character set; all other bytes as they were. What was done is added to `report`.
  /// Errors: no_escape_character.
  base::Result<std::string> apply(const Message& message, AnonymizeReport& report) const;

 private:
  AnonymizeOptions options_;
  detail::Pseudonyms pseudonyms_;
};

}  // namespace kiln::hl7
