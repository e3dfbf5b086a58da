#pragma once
// What HL7 v2 says about segments, fields, datatypes, message structures, events and tables, per version.
// Read-only constants: no start-up work, no allocation, every look-up a binary search, every function safe
// from any thread, every string_view with static storage duration. Reading a message never needs any of this
// (hl7v2.md, promise 4).

#include <cstdint>
#include <optional>
#include <string_view>

#include "hl7/dictionary/record_list.h"
#include "hl7/dictionary/version.h"

namespace kiln::hl7 {

/// A field of a segment, or a component of a datatype.
struct FieldDef {
  std::uint16_t position;  ///< 1-based
  std::string_view name;
  std::string_view
      datatype;  ///< id such as "CX"; "varies" (OBX-5), "-" (withdrawn, type unknown) are possible
  char usage;    ///< R required, E required-or-empty, O optional, C conditional, B backward, W withdrawn,
                 ///< '-' not stated
  std::string_view usage_text;       ///< as written in the facts, e.g. "C(R/X)"
  std::uint16_t repetition_max;      ///< 1 = single, 0 = unbounded; components are always 1
  std::uint32_t max_length;          ///< characters; 0 = not stated
  std::uint32_t conformance_length;  ///< characters (2.9); 0 = not stated
  char truncation;                   ///< '=' must not be truncated, '#' may be, 0 not stated (2.9)
  std::string_view table;            ///< "0001"; empty = none

  bool repeats() const { return repetition_max != 1; }
};

struct SegmentDef {
  std::string_view id;
  std::string_view title;
  RecordList<FieldDef> fields;  ///< positions 1…n without gaps

  /// Field `position` (1-based), if the segment has it.
  std::optional<FieldDef> field(std::size_t position) const;
};

struct DatatypeDef {
  std::string_view id;
  std::string_view title;
  std::string_view carried_from;    ///< version the definition was carried over from; empty = this one
  RecordList<FieldDef> components;  ///< positions 1…n without gaps; empty for a primitive

  bool primitive() const { return components.empty(); }
  /// Component `position` (1-based), if the type has it.
  std::optional<FieldDef> component(std::size_t position) const;
};

enum class NodeKind : std::uint8_t {
  segment,  ///< one segment, `name` is its id
  group,    ///< named group, children in order
  choice,   ///< exactly one of its children, `name` is "|"
  any,      ///< any one segment, `name` is "*ANY*"
};

/// A node of a message structure.
struct NodeDef {
  NodeKind kind;
  bool required;  ///< min 1
  bool repeats;   ///< max unbounded; otherwise max 1
  std::string_view name;
  RecordList<NodeDef> children;
};

struct StructureDef {
  std::string_view id;        ///< as in MSH-9.3: "ADT_A01"
  std::string_view variant;   ///< the id with its variant letter in 2.9 ("ADT_A01-B"), else equal to `id`
  RecordList<NodeDef> nodes;  ///< top level, starts with MSH
};

/// Status of a code as the cumulative tables of 2.9 state it; codes of earlier versions are active.
enum class CodeStatus : std::uint8_t { active, added, backward, deprecated, retired };

struct CodeDef {
  std::string_view code;
  std::string_view display;
  CodeStatus status;
};

struct TableDef {
  std::string_view id;
  std::string_view title;
  char kind;                  ///< h HL7-defined, u user-defined, t from terminology.hl7.org (cumulative, 2.9)
  RecordList<CodeDef> codes;  ///< sorted by the bytes of `code`

  /// The entry of a code, exact spelling.
  std::optional<CodeDef> find(std::string_view code) const;
};

/// Which messages answer a message, e.g. "ACK_O21" = ACK^O21^ACK (2.9 only). An empty list = none is defined.
struct AckDef {
  RecordList<std::string_view> original_mode;
  RecordList<std::string_view> accept;
  RecordList<std::string_view> application;
};

/// The dictionary of one version: a value of one byte.
class Dictionary {
 public:
  explicit Dictionary(Version version) : version_(version) {}
  Version version() const { return version_; }

  /// Exact, upper-case id ("PID").
  std::optional<SegmentDef> segment(std::string_view id) const;
  std::optional<DatatypeDef> datatype(std::string_view id) const;
  /// By MSH-9.3 ("ADT_A01"; in 2.9 the first variant) or by the id of a 2.9 variant ("ADT_A01-B").
  std::optional<StructureDef> structure(std::string_view id) const;
  /// As structure(): the position in structures().
  std::optional<std::size_t> structure_position(std::string_view id) const;
  /// The structure of message code and trigger event: event("ADT", "A04") -> ADT_A01. Some events of the
  /// facts name a structure that no source describes (QRY_P04 of 2.4): nothing then.
  std::optional<StructureDef> event(std::string_view code, std::string_view trigger) const;
  /// By four-character table number ("0001").
  std::optional<TableDef> table(std::string_view id) const;
  /// Answers to a message, by structure-style name of code and event ("OML", "O21"); only 2.9 states any.
  std::optional<AckDef> ack(std::string_view code, std::string_view trigger) const;

  /// Everything, sorted by id: for listings and "did you mean".
  RecordList<SegmentDef> segments() const;
  RecordList<DatatypeDef> datatypes() const;
  RecordList<StructureDef> structures() const;
  RecordList<TableDef> tables() const;

  struct EventDef {
    std::string_view event;      ///< "ADT_A04"
    std::string_view structure;  ///< id as in StructureDef::variant
  };
  RecordList<EventDef> events() const;

 private:
  Version version_;
};

/// The oldest version in which segment `id` has field `position`, if any has it.
std::optional<Version> first_version_with_field(std::string_view id, std::size_t position);

/// The oldest version that has segment `id`.
std::optional<Version> first_version_with_segment(std::string_view id);

}  // namespace kiln::hl7
