#pragma once
// Conformance profiles: what one interface agreed on beyond the standard (std 2.B). A profile is data: rules
// by path, tables, an optional message structure of its own. Read from our JSON form (hl7/profile.md) or from
// the XML of a message profile, printed as JSON; hl7/validate.h applies it.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "hl7/dictionary/version.h"

namespace kiln::hl7 {

/// How a profile wants an element used (std 2.B.4.3).
enum class Usage : std::uint8_t {
  required,           ///< R: must be valued
  required_or_empty,  ///< RE: sent when the sender has it
  optional,           ///< O
  conditional,        ///< C: by the rule's condition
  not_supported,      ///< X: must not be valued
  backward,           ///< B: kept for old receivers
  withdrawn,          ///< W
};
std::string_view name_of(Usage usage);  ///< "R", "RE", "O", "C", "X", "B", "W"
std::optional<Usage> usage_of(std::string_view name);

inline constexpr std::uint32_t kUnbounded = 0xFFFFFFFFu;

/// A test of the message at hand. Paths are flat (`PV1-2`, `OBX-2`); a path of the segment the rule is about
/// means the very segment under test, any other the first segment of that name in the nearest group around
/// it, else in the message.
struct ProfileCondition {
  enum class Kind : std::uint8_t {
    valued,  ///< `path` is valued (null counts as valued)
    equals,  ///< the text at `path` is one of `values`
    all,     ///< every part holds
    any,     ///< one part holds
    not_,    ///< the only part does not hold
  };
  Kind kind = Kind::valued;
  std::string path;
  std::vector<std::string> values;
  std::vector<ProfileCondition> parts;
};

/// What the profile says about one element; what is not set stays as the standard has it.
struct ProfileRule {
  /// `PID`, `PID-3`, `PID-3.4`, `PID-3.4.2`, `PATIENT_RESULT`, `ORDER_OBSERVATION.OBX-5`: names of groups may
  /// stand before, outermost first, a part of them is enough; `ROL#2` is the second place of ROL in its
  /// group.
  std::string path;
  std::string name;  ///< of a field or component the standard does not have
  std::optional<Usage> usage;
  std::optional<std::uint32_t> min, max;                ///< repetitions or occurrences; max may be kUnbounded
  std::optional<std::uint32_t> length_min, length_max;  ///< characters
  std::string type;                                     ///< datatype id; empty = as the standard has it
  std::string table;                                    ///< id of a table of the profile or the standard
  std::vector<std::string> one_of;                      ///< the constants allowed; empty = any value
  /// With usage C: `then` holds when the condition does, `otherwise` when not.
  std::optional<ProfileCondition> condition;
  Usage then = Usage::required, otherwise = Usage::optional;
};

/// Codes of an interface. An `open` one only suggests: a code beside it is a finding of kind user_table.
struct ProfileTable {
  std::string id, title;
  bool open = false;
  std::vector<std::pair<std::string, std::string>> codes;  ///< code and display
};

/// A segment, group or choice of the profile's own message structure.
struct ProfileNode {
  enum class Kind : std::uint8_t { segment, group, choice } kind = Kind::segment;
  std::string name;  ///< empty for a choice
  bool required = false, repeats = false;
  std::vector<ProfileNode> children;
};

struct Profile {
  std::string name, description;
  Version version = Version::v2_5_1;
  std::string structure;             ///< "ADT_A01"; empty = any
  std::vector<std::string> events;   ///< "A01"; empty = any
  std::vector<ProfileNode> message;  ///< empty = the structure of the standard
  std::vector<ProfileRule> rules;
  std::vector<ProfileTable> tables;
};

/// Reads our JSON form. Errors: bad_profile with the place of the member ("rules / PID-3 / usage");
/// json_syntax, limit_exceeded as parse_json.
base::Result<Profile> read_profile(std::string_view json);
/// The JSON form, indented, ready for read_profile().
std::string print_profile(const Profile& profile);

struct ImportedProfile {
  Profile profile;
  /// What the XML says and a profile cannot hold, one line each with its place: nothing is left out silently.
  std::vector<std::string> notes;
};
/// Reads `HL7v2xConformanceProfile` XML (std 2.B.8). `tables` is the table file that belongs to it
/// (`Specification/hl7tables`), or empty. Errors: bad_profile with line or element. No entity of the document
/// is ever resolved.
base::Result<ImportedProfile> import_profile_xml(std::string_view xml, std::string_view tables = {});

/// The texts of a profile in three files, as IGAMT exports it.
struct ProfileFiles {
  std::string_view profile;      ///< `ConformanceProfile`: message, segments, datatypes
  std::string_view constraints;  ///< `ConformanceContext`: predicates and constraints; may be empty
  std::string_view value_sets;   ///< `ValueSetLibrary`; may be empty
  std::string_view message;      ///< ID of the Message where the profile has several
};
/// As import_profile_xml(). Of constraints those become rules that name a value, a list of values or
/// presence, on segments and datatypes, and predicates made of these; all others are notes.
base::Result<ImportedProfile> import_profile_files(const ProfileFiles& files);

/// The message structure in the notation of the standard, `MSH [{SFT}] PID { ORDER: ORC <OBR|RQD> }`;
/// `( NAME: … )` is a group that stands exactly once.
/// Error bad_profile with "column N".
base::Result<std::vector<ProfileNode>> parse_structure(std::string_view text);
std::string print_structure(const std::vector<ProfileNode>& nodes);

}  // namespace kiln::hl7
