#include "hl7/validation/rule_set.h"

#include <algorithm>
#include <array>
#include <mutex>

#include "hl7/segment_id.h"

namespace kiln::hl7::detail {

namespace {

Primitive primitive_of(std::string_view type) {
  if (type == "NM") return Primitive::number;
  if (type == "SI") return Primitive::sequence_id;
  if (type == "DT") return Primitive::date;
  if (type == "TM") return Primitive::time;
  if (type == "DTM" || type == "TS") return Primitive::date_time;
  return Primitive::text;
}

TypeRule type_rule_of(std::string_view type) {
  if (type == "CE" || type == "CWE" || type == "CNE" || type == "CF") return TypeRule::coded;
  if (type == "HD") return TypeRule::designator;
  if (type == "EI") return TypeRule::identifier;
  if (type == "SN") return TypeRule::structured_number;
  return TypeRule::none;
}

Usage usage_of(char usage) {
  switch (usage) {
    case 'R':
      return Usage::required;
    case 'E':
      return Usage::required_or_empty;
    case 'C':
      return Usage::conditional;
    case 'B':
      return Usage::backward;
    case 'W':
      return Usage::withdrawn;
    default:
      return Usage::optional;
  }
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

constexpr std::size_t kPackedMax = 7;

/// Different for different texts of up to kPackedMax bytes.
std::uint64_t pack(std::string_view code) {
  std::uint64_t packed = code.size();
  for (const char c : code) packed = packed << 8 | static_cast<unsigned char>(c);
  return packed;
}

/// What a table writes where it means more codes than it lists: "...", "E1 ... E9", "SUGGESTION".
bool is_placeholder(std::string_view code) {
  return code.find("..") != code.npos || code.find("\xE2\x80\xA6") != code.npos || code == "SUGGESTION" ||
         code == "etc" || code == "No Values Defined";
}

/// Tables that point to lists kept elsewhere (media types, coding systems), whatever else they hold.
bool points_elsewhere(std::string_view table) {
  return table == "0291" || table == "0396";
}

/// Message types, events and structures of a site begin with Z (std 2.11).
bool takes_local_codes(std::string_view table) {
  return table == "0003" || table == "0076" || table == "0354";
}

/// Coding systems of table 0396 that stand for many: HL70001, ISO3166, 99ABC, L.
bool is_system_pattern(std::string_view code) {
  if (code == "L") return true;
  if (code.starts_with("99") && code.size() > 2) return true;
  return (code.starts_with("HL7") || code.starts_with("ISO") || code.starts_with("IBT")) &&
         all_digits(code.substr(3));
}

/// 2.9 states its tables cumulatively and not whether their codes bind; 2.8.2 does. A table younger than that
/// counts as open.
bool is_open(const TableDef& table) {
  if (points_elsewhere(table.id)) return true;
  if (table.kind != 't') return table.kind == 'u';
  const auto before = Dictionary(Version::v2_8_2).table(table.id);
  return !before || before->kind != 'h';
}

}  // namespace

void CodeTable::index() {
  std::sort(codes.begin(), codes.end());
  short_codes.clear();
  for (const std::string_view code : codes)
    if (code.size() <= kPackedMax) short_codes.push_back(pack(code));
  std::sort(short_codes.begin(), short_codes.end());
}

bool CodeTable::holds(std::string_view code) const {
  if (codes.empty()) return true;
  if (code.size() <= kPackedMax) {
    if (std::binary_search(short_codes.begin(), short_codes.end(), pack(code))) return true;
  } else if (std::binary_search(codes.begin(), codes.end(), code)) {
    return true;
  }
  if (takes_local_codes(id) && code.starts_with('Z')) return true;
  return id == "0396" && is_system_pattern(code);
}

const RuleSet& RuleSet::standard(Version version) {
  struct Slot {
    std::once_flag once;
    const RuleSet* rules = nullptr;
  };
  // Never destroyed: reports may outlive main().
  static auto& slots = *std::make_unique<std::array<Slot, kVersionCount>>().release();
  Slot& slot = slots[static_cast<std::size_t>(version)];
  std::call_once(slot.once, [&] { slot.rules = std::make_unique<RuleSet>(version).release(); });
  return *slot.rules;
}

RuleSet::RuleSet(Version version) : version_(version) {
  add_tables();
  add_types();
  add_segments();
}

void RuleSet::add_tables() {
  const auto add = [this](const TableDef& definition) {
    CodeTable table{definition.id, definition.title, is_open(definition), {}, {}};
    table.codes.reserve(definition.codes.size());
    bool complete = true;
    for (const CodeDef code : definition.codes) {
      complete = complete && !is_placeholder(code.code);
      table.codes.push_back(code.code);
    }
    if (!complete) table.codes.clear();
    table.index();
    tables_.push_back(std::move(table));
  };
  for (const TableDef definition : Dictionary(version_).tables()) add(definition);
  // The value types of OBX-2 are not a code system of 2.9; what 2.8.2 lists still holds.
  if (version_ == Version::v2_9 && find_table("0125") == nullptr)
    if (const auto before = Dictionary(Version::v2_8_2).table("0125")) add(*before);
  std::sort(tables_.begin(), tables_.end(),
            [](const CodeTable& a, const CodeTable& b) { return a.id < b.id; });
}

const CodeTable* RuleSet::find_table(std::string_view id) const {
  const std::uint16_t position = table_position(id);
  return position == kNone16 ? nullptr : &tables_[position];
}

std::uint16_t RuleSet::table_position(std::string_view id) const {
  const auto found =
      std::lower_bound(tables_.begin(), tables_.end(), id,
                       [](const CodeTable& table, std::string_view key) { return table.id < key; });
  if (id.empty() || found == tables_.end() || found->id != id) return kNone16;
  return static_cast<std::uint16_t>(found - tables_.begin());
}

void RuleSet::set_type(Element& element, std::string_view type) const {
  element.type = type;
  element.primitive = primitive_of(type);
  element.type_rule = type_rule_of(type);
  element.varies = type == "varies";
  element.first = element.count = 0;
  element.opaque = !element.varies && find_type(type) == nullptr;
  if (const Element* found = find_type(type)) {
    element.first = found->first;
    element.count = found->count;
    element.demands = found->demands;
  }
}

Element RuleSet::make_element(const FieldDef& field, bool component) const {
  Element element;
  element.name = field.name;
  set_type(element, field.datatype);
  element.usage = usage_of(field.usage);
  // 65536 and 99999 are how the standard writes "as long as it takes".
  const bool unlimited = field.max_length == 0 || field.max_length >= 65'536;
  element.length_max = unlimited ? kUnbounded : field.max_length;
  element.repetition_max = component ? 1 : field.repetition_max == 0 ? kUnbounded : field.repetition_max;
  element.table = table_position(field.table);
  return element;
}

void RuleSet::note_demands(Element& element) const {
  for (const Element& child : elements(element.first, element.count))
    element.demands = element.demands || child.usage == Usage::required || child.condition != kNone16;
}

void RuleSet::add_types() {
  const auto datatypes = Dictionary(version_).datatypes();
  std::uint32_t next = 0;
  for (const DatatypeDef definition : datatypes) {
    Element element;
    element.name = definition.title;
    element.type = definition.id;
    element.primitive = primitive_of(definition.id);
    element.type_rule = type_rule_of(definition.id);
    element.first = next;
    element.count = static_cast<std::uint32_t>(definition.components.size());
    next += element.count;
    types_.push_back({definition.id, element});
  }
  elements_.resize(next);
  // A type may hold types behind it, so what is demanded is known only when all are filled.
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const DatatypeDef definition = datatypes[i];
    for (const FieldDef component : definition.components) {
      Element& element = elements_[types_[i].element.first + component.position - 1u];
      element = make_element(component, true);
      // Before 2.5 the first component of TS has no type of its own.
      if (definition.id == "TS" && component.position == 1) element.primitive = Primitive::date_time;
    }
  }
  for (Type& type : types_) note_demands(type.element);
  for (Element& element : elements_)
    if (const Element* type = find_type(element.type)) element.demands = type->demands;
}

const Element* RuleSet::find_type(std::string_view id) const {
  const auto found = std::lower_bound(types_.begin(), types_.end(), id,
                                      [](const Type& type, std::string_view key) { return type.id < key; });
  return found == types_.end() || found->id != id ? nullptr : &found->element;
}

void RuleSet::note_wanted(SegmentRules& segment) {
  segment.wanted.clear();
  for (std::uint32_t i = 0; i < segment.count; ++i) {
    const Element& element = elements_[segment.first + i];
    if (element.usage == Usage::required || element.condition != kNone16 || element.repetition_min > 0)
      segment.wanted.push_back(static_cast<std::uint16_t>(i + 1));
  }
}

void RuleSet::add_segments() {
  for (const SegmentDef definition : Dictionary(version_).segments()) {
    SegmentRules segment;
    segment.id = segment_id(definition.id);
    segment.title = definition.title;
    segment.first = static_cast<std::uint32_t>(elements_.size());
    segment.count = static_cast<std::uint32_t>(definition.fields.size());
    for (const FieldDef field : definition.fields) elements_.push_back(make_element(field, false));
    note_wanted(segment);
    segments_.push_back(std::move(segment));
  }
  std::sort(segments_.begin(), segments_.end(),
            [](const SegmentRules& a, const SegmentRules& b) { return a.id < b.id; });
  named_segments_ = segments_.size();
}

const SegmentRules* RuleSet::find_segment(std::uint32_t id) const {
  const auto end = segments_.begin() + static_cast<std::ptrdiff_t>(named_segments_);
  const auto found =
      std::lower_bound(segments_.begin(), end, id,
                       [](const SegmentRules& segment, std::uint32_t key) { return segment.id < key; });
  return found == end || found->id != id ? nullptr : &*found;
}

}  // namespace kiln::hl7::detail
