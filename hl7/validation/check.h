#pragma once
// What the rules share: the message under test, where findings go, and one function per kind of rule. Private
// to hl7/validation.

#include <string>
#include <string_view>

#include "hl7/validate.h"
#include "hl7/validation/rule_set.h"

namespace kiln::hl7::detail {

/// One validation at work.
struct Check {
  const RuleSet& rules;
  const ValidationPolicy& policy;
  const Message& message;
  ValidationReport& report;
  std::string buffer;  ///< for decoded text

  /// Whether findings of that kind are wanted anywhere.
  bool on(RuleKind kind) const { return policy.has_paths() || policy.level(kind) != RuleLevel::off; }
  /// Adds a finding at a place of a segment that is there. `text` and `name` become "text: name".
  void add(RuleKind kind, const Location& at, std::uint32_t offset, std::string_view text,
           std::string_view name);
  /// The same with a table 0357 code of its own.
  void add(RuleKind kind, const Location& at, std::uint32_t offset, int code, std::string_view text,
           std::string_view name);
  /// Counts a finding and says whether its text is worth the making: its rule may be off, or enough are
  /// listed.
  bool wants(RuleKind kind, std::uint32_t segment_id, const Location& at);
  /// Lists a finding about a segment that is missing or has no place. wants() has counted it.
  void list(Finding finding);
};

/// Characters of a part as its reader sees them: escapes decoded, inner delimiters counted.
std::size_t length_of(Check& check, const Piece& piece);

// structure_rule.cpp
void check_structure(Check& check);
// usage_rule.cpp: `part` may be absent. False when there is nothing further to look at.
bool check_presence(Check& check, const Element& element, const Piece& part, const Location& at,
                    std::uint32_t offset);
// cardinality_rule.cpp
void check_repetitions(Check& check, const Element& element, const FieldView& field, std::uint32_t count,
                       Location at);
// length_rule.cpp
void check_length(Check& check, const Element& element, const Piece& part, const Location& at);
// datatype_rule.cpp
void check_datatype(Check& check, const Element& element, const LeafView& leaf, const Location& at);
// table_rule.cpp: of a primitive, and of a coded repetition or component
void check_code(Check& check, const Element& element, const LeafView& leaf, const Location& at);
void check_coded(Check& check, const Element& element, const Piece& part, const Location& at);
void check_constant(Check& check, const Element& element, const LeafView& leaf, const Location& at);
// condition_rule.cpp
/// What a conditional element is for this message.
Usage usage_by_condition(const Check& check, const CompiledCondition& condition, std::uint32_t segment);
/// Between the components of a type, and between the fields of a segment, as the standard states them.
void check_type_rule(Check& check, const Element& element, const Piece& part, const Location& at);
void check_segment_rule(Check& check, const SegmentView& segment);

/// Part number n (from 1) one level below a repetition or component.
inline Piece part_of(const Piece& part, std::uint32_t n) {
  if (part.level() == Piece::Level::component) return ComponentView(part).sub(n);
  return RepetitionView(part).component(n);
}
/// The place one level below.
inline Location below(Location at, std::uint32_t n) {
  (at.component == 0 ? at.component : at.subcomponent) = n;
  return at;
}

}  // namespace kiln::hl7::detail
