#pragma once
// Validation of a parsed message against the dictionary of its version or against a profile (hl7v2.md §14).
// One walk over the message, nothing is copied; the message is never changed.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/result.h"
#include "hl7/ack.h"
#include "hl7/message.h"
#include "hl7/profile.h"
#include "hl7/structure.h"

namespace kiln::hl7 {

enum class RuleKind : std::uint8_t {
  structure,    ///< a required segment or group is missing, stands too often or out of order, or has no place
  required,     ///< a required field or component is not valued
  cardinality,  ///< too few or too many repetitions
  usage,        ///< valued although withdrawn or not supported
  length,       ///< more or fewer characters than allowed
  datatype,     ///< the text does not have the form of its type
  table,        ///< a code outside an HL7-defined table, or a closed table of the profile
  user_table,   ///< a code outside a user-defined table, whose codes are suggestions
  condition,    ///< a conditional element is missing, or valued where it must not be
  constant,     ///< not the value the profile fixes
  undefined,    ///< a segment, field or component beyond the definition
};
inline constexpr std::size_t kRuleKindCount = 11;
std::string_view name_of(RuleKind kind);  ///< "structure", …, "user-table", …
std::optional<RuleKind> rule_kind(std::string_view name);

/// What a finding counts as.
enum class RuleLevel : std::uint8_t { off, note, warning, error };
std::string_view name_of(RuleLevel level);
std::optional<RuleLevel> rule_level(std::string_view name);

/// How serious each kind of finding is, for the whole message and by place. By default errors, but warnings
/// for length, usage, user_table and undefined: a receiver ignores what it does not know (std 2.5.2).
class ValidationPolicy {
 public:
  ValidationPolicy();
  void set(RuleKind kind, RuleLevel level) { levels_[static_cast<std::size_t>(kind)] = level; }
  void set_all(RuleLevel level) { levels_.fill(level); }
  /// For `path` (`PID`, `PID-3`, `PID-3.4`, `PID-3.4.1`) and everything below it; `kind` limits it to one.
  /// The deepest path wins, of equal ones the last. Error bad_path.
  base::Status set(std::string_view path, std::optional<RuleKind> kind, RuleLevel level);

  RuleLevel level(RuleKind kind) const { return levels_[static_cast<std::size_t>(kind)]; }
  RuleLevel level(RuleKind kind, std::uint32_t segment_id, const Location& at) const;
  bool has_paths() const { return !places_.empty(); }

 private:
  struct Place {
    std::uint32_t segment = 0, field = 0, component = 0, subcomponent = 0;
    std::optional<RuleKind> kind;
    RuleLevel level = RuleLevel::off;
  };
  std::array<RuleLevel, kRuleKindCount> levels_{};
  std::vector<Place> places_;
};

/// One thing that is not as it should be. `text` names no value of the message: it may be logged and
/// answered.
struct Finding {
  RuleKind rule = RuleKind::structure;
  base::Severity severity = base::Severity::error;
  int code = 207;  ///< table 0357: 100 to 104; 200 to 203 for MSH-9, 11 and 12
  /// As in ERR-2: the segment's name and its number among those of that name. Of a missing segment what it
  /// would be.
  std::string segment;
  std::uint32_t sequence = 1;
  Location location;         ///< field 0: the segment as a whole; location.segment: where it is, or is missed
  std::uint32_t offset = 0;  ///< byte of the message: of the element, or where a missing one would stand
  std::string path;          ///< "PID-3[1].4"; of a missing segment "ORDER[2].OBR"
  std::string text;          ///< "required field is missing: Patient Identifier List"
};

/// What a validation found. Reusable: validate() clears it and keeps its memory.
struct ValidationReport {
  std::vector<Finding> findings;                      ///< in message order, at most limits::kHl7FindingsMax
  std::uint64_t dropped = 0;                          ///< findings beyond
  std::uint32_t errors = 0, warnings = 0, notes = 0;  ///< with the dropped ones
  StructureChoice choice;                             ///< the structure that was used
  GroupTree tree;                                     ///< and the groups by it

  bool ok() const { return errors == 0; }
};

namespace detail {
class RuleSet;
}

/// The compiled rules. Immutable: one for all threads.
class Validator {
 public:
  /// Against the standard, in the version each message states.
  explicit Validator(ValidationPolicy policy = {});
  /// Against a profile, in the profile's version. Error bad_profile: a rule names what does not exist.
  static base::Result<Validator> make(Profile profile, ValidationPolicy policy = {});
  Validator(Validator&&) noexcept;
  Validator& operator=(Validator&&) noexcept;
  ~Validator();

  void validate(const Message& message, ValidationReport& report) const;
  ValidationReport validate(const Message& message) const;
  const ValidationPolicy& policy() const { return policy_; }
  const Profile* profile() const { return profile_.get(); }

 private:
  ValidationPolicy policy_;
  std::unique_ptr<const Profile> profile_;
  std::unique_ptr<const detail::RuleSet> rules_;  ///< of the profile; the standard's are kept per version
};

/// The ERR of a finding; its text goes to the sender.
AckError ack_error(const Finding& finding);
/// AA without errors; AR when one is about MSH-9, MSH-11 or MSH-12; else AE. `errors` are the findings that
/// are errors, at most limits::kAckErrorsMax.
struct ValidationAck {
  AckCode code = AckCode::AA;
  std::vector<AckError> errors;
};
ValidationAck ack_of(const ValidationReport& report);

}  // namespace kiln::hl7
