// Conditional elements: by the conditions of a profile, and by those of the standard that do not depend on
// what two sites agreed on. The facts mark conditional elements without saying the condition; the ones here
// are from the definitions of the fields and types.

#include <algorithm>
#include <array>

#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

namespace {

constexpr std::uint32_t kObx = segment_id("OBX"), kMfe = segment_id("MFE"), kObr = segment_id("OBR"),
                        kOrc = segment_id("ORC");

/// The segment a condition speaks of: the one under test, else the first of that name in the nearest group
/// around it, else of the message.
SegmentView segment_of(const Check& check, std::uint32_t id, std::uint32_t under_test) {
  const SegmentView self = check.message.segment(under_test);
  if (self.id() == id) return self;
  const GroupTree& tree = check.report.tree;
  const auto instances = tree.instances();
  for (std::uint32_t i = tree.placements()[under_test].instance; i != kNoIndex; i = instances[i].parent) {
    const SegmentView found = check.message.find_from(instances[i].first_segment, id);
    if (found && found.index() < instances[i].end_segment) return found;
  }
  return {};
}

Piece value_of(const Check& check, const CompiledTest& test, std::uint32_t under_test) {
  const RepetitionView repetition =
      segment_of(check, test.segment, under_test).field(test.field).repetition(1);
  if (test.component == 0) return repetition;
  const ComponentView component = repetition.component(test.component);
  if (test.subcomponent == 0) return component;
  return component.sub(test.subcomponent);
}

bool holds(const Check& check, const CompiledTest& test, std::uint32_t under_test) {
  const auto part = [&](const CompiledTest& inner) { return holds(check, inner, under_test); };
  switch (test.kind) {
    case ProfileCondition::Kind::valued:
      return test.field == 0 ? segment_of(check, test.segment, under_test).exists()
                             : !value_of(check, test, under_test).absent();
    case ProfileCondition::Kind::equals: {
      const std::string text = value_of(check, test, under_test).to_text();
      return std::find(test.values.begin(), test.values.end(), text) != test.values.end();
    }
    case ProfileCondition::Kind::all:
      return std::all_of(test.parts.begin(), test.parts.end(), part);
    case ProfileCondition::Kind::any:
      return std::any_of(test.parts.begin(), test.parts.end(), part);
    case ProfileCondition::Kind::not_:
      return !part(test.parts.front());
  }
  return false;
}

std::string_view name_of_field(const Check& check, std::uint32_t segment, std::uint32_t field) {
  const SegmentRules* rules = check.rules.find_segment(segment);
  if (rules == nullptr || field > rules->count) return {};
  return check.rules.element(rules->first + field - 1).name;
}

/// OBX-2 names the type of OBX-5 (std 7.4.2.2), MFE-5 that of MFE-4 (8.5.2.5).
void check_type_field(Check& check, const SegmentView& segment, std::uint32_t value, std::uint32_t type) {
  const FieldView named = segment.field(type);
  const FieldView valued = segment.field(value);
  if (!named.absent() || !valued.valued() || name_of_field(check, segment.id(), type).empty()) return;
  check.add(RuleKind::condition, {segment.index(), type, 0, 0, 0},
            named.located() ? named.offset() : valued.offset(), "required when its value is there",
            name_of_field(check, segment.id(), type));
}

/// An order is told from others by its placer or filler number, in ORC or OBR (std 4.5.1.2, 4.5.3.2).
void check_order_number(Check& check, const SegmentView& segment) {
  if (segment.field(2).valued() || segment.field(3).valued()) return;
  const SegmentView orc = segment_of(check, kOrc, segment.index());
  if (orc.field(2).valued() || orc.field(3).valued()) return;
  const FieldView placer = segment.field(2);
  check.add(RuleKind::condition, {segment.index(), 2, 0, 0, 0},
            placer.located() ? placer.offset() : segment.offset(),
            "neither a placer nor a filler order number, here or in ORC", "");
}

/// A universal id and its type come together (std 2.A.33, 2.A.28).
void check_universal_id(Check& check, const Piece& part, std::uint32_t id, const Location& at) {
  const Piece value = part_of(part, id), type = part_of(part, id + 1);
  if (value.absent() == type.absent()) return;
  const std::uint32_t missing = value.absent() ? id : id + 1;
  const Piece& there = value.absent() ? type : value;
  check.add(RuleKind::condition, below(at, missing), there.offset(), "required with the other one",
            value.absent() ? "Universal ID" : "Universal ID Type");
}

void check_structured_number(Check& check, const Piece& part, const Location& at) {
  static constexpr std::array<std::string_view, 6> kComparators = {"<", "<=", "<>", "=", ">", ">="};
  static constexpr std::array<std::string_view, 5> kSeparators = {"+", "-", ".", "/", ":"};
  const auto one_of = [&](const auto& list, std::uint32_t n, std::string_view name) {
    const Piece piece = part_of(part, n);
    if (!piece.valued()) return;
    if (std::find(list.begin(), list.end(), piece.text(check.buffer)) == list.end())
      check.add(RuleKind::datatype, below(at, n), piece.offset(), "not one of its signs", name);
  };
  one_of(kComparators, 1, "Comparator");
  one_of(kSeparators, 3, "Separator/Suffix");
}

}  // namespace

Usage usage_by_condition(const Check& check, const CompiledCondition& condition, std::uint32_t segment) {
  return holds(check, condition.test, segment) ? condition.then : condition.otherwise;
}

void check_type_rule(Check& check, const Element& element, const Piece& part, const Location& at) {
  if (part.level() == Piece::Level::leaf) return;
  switch (element.type_rule) {
    case TypeRule::designator:
      if (check.on(RuleKind::condition) && part.raw().size() > 1) check_universal_id(check, part, 2, at);
      return;
    case TypeRule::identifier:
      if (check.on(RuleKind::condition)) check_universal_id(check, part, 3, at);
      return;
    case TypeRule::structured_number:
      if (check.on(RuleKind::datatype)) check_structured_number(check, part, at);
      return;
    case TypeRule::coded:
    case TypeRule::none:
      return;
  }
}

void check_segment_rule(Check& check, const SegmentView& segment) {
  if (!check.on(RuleKind::condition)) return;
  const std::uint32_t id = segment.id();
  if (id == kObx) check_type_field(check, segment, 5, 2);
  if (id == kMfe) check_type_field(check, segment, 4, 5);
  if (id == kObr) check_order_number(check, segment);
}

}  // namespace kiln::hl7::detail
