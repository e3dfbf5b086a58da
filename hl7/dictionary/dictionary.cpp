#include "hl7/dictionary/dictionary.h"

#include <string>

#include "hl7/dictionary/generated/data.h"

namespace kiln::hl7 {

namespace detail {

namespace {
std::string_view text(std::uint32_t reference) {
  return {kStrings + (reference >> 8), reference & 0xFF};
}
}  // namespace

template <>
FieldDef decode_record<FieldDef>(std::uint32_t index, std::uint32_t ordinal) {
  const std::uint32_t* words = kFields + 2 * kFieldLists[index];
  const std::uint32_t* lengths = kLengths + 3 * (words[1] >> 22);
  const std::string_view usage = text(kUsages[words[0] & 0xF]);
  return {.position = static_cast<std::uint16_t>(ordinal + 1),
          .name = text(words[0] >> 4),
          .datatype = text(kSymbols[words[1] & 0xFF]),
          .usage = usage == "RE" ? 'E' : usage[0],
          .usage_text = usage,
          .repetition_max = kRepetitions[words[1] >> 18 & 0xF],
          .max_length = lengths[0],
          .conformance_length = lengths[1],
          .truncation = static_cast<char>(lengths[2]),
          .table = text(kTableIds[words[1] >> 8 & 0x3FF])};
}

template <>
SegmentDef decode_record<SegmentDef>(std::uint32_t index, std::uint32_t) {
  const std::uint32_t* row = kSegments + 4 * kSegmentLists[index];
  return {text(row[0]), text(row[1]), {row[2], row[3]}};
}

template <>
DatatypeDef decode_record<DatatypeDef>(std::uint32_t index, std::uint32_t) {
  const std::uint32_t* row = kDatatypes + 5 * kDatatypeLists[index];
  return {text(row[0]), text(row[1]), text(row[2]), {row[3], row[4]}};
}

template <>
NodeDef decode_record<NodeDef>(std::uint32_t index, std::uint32_t) {
  const std::uint32_t* row = kNodes + 4 * kNodeLists[index];
  return {.kind = static_cast<NodeKind>(row[1] & 0xF),
          .required = (row[1] & 0x10) != 0,
          .repeats = (row[1] & 0x20) != 0,
          .name = text(row[0]),
          .children = {row[2], row[3]}};
}

template <>
StructureDef decode_record<StructureDef>(std::uint32_t index, std::uint32_t) {
  const std::uint32_t* row = kStructures + 4 * kStructureLists[index];
  return {text(row[0]), text(row[1]), {row[2], row[3]}};
}

template <>
CodeDef decode_record<CodeDef>(std::uint32_t index, std::uint32_t) {
  const std::uint32_t* row = kCodes + 2 * kCodeLists[index];
  return {text(row[0]), text(row[1] >> 4), static_cast<CodeStatus>(row[1] & 0xF)};
}

template <>
TableDef decode_record<TableDef>(std::uint32_t index, std::uint32_t) {
  const std::uint32_t* row = kTables + 4 * kTableLists[index];
  return {text(row[0]), text(row[1]), static_cast<char>(row[2] & 0xFF), {row[3], row[2] >> 8}};
}

template <>
Dictionary::EventDef decode_record<Dictionary::EventDef>(std::uint32_t index, std::uint32_t) {
  return {text(kEvents[2 * index]), text(kEvents[2 * index + 1])};
}

template <>
std::string_view decode_record<std::string_view>(std::uint32_t index, std::uint32_t) {
  return text(kAckAnswers[index]);
}

}  // namespace detail

namespace {

/// Columns of kRanges, each followed by a count.
enum Range : std::uint32_t {
  kSegmentRange = 0,
  kDatatypeRange = 2,
  kStructureRange = 4,
  kTableRange = 6,
  kEventRange = 8,
  kAckRange = 10,
  kRangeColumns = 12
};

template <class T>
RecordList<T> list_of(Version version, Range range) {
  const std::uint32_t* row = detail::kRanges + kRangeColumns * static_cast<std::uint32_t>(version);
  return {row[range], row[range + 1]};
}

/// Index of the first record whose key is not less than `key`.
template <class List, class KeyOf>
std::size_t lower_bound(const List& list, std::string_view key, KeyOf key_of) {
  std::size_t low = 0, high = list.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (key_of(middle) < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

template <class List, class KeyOf>
auto find_in(const List& list, std::string_view key, KeyOf key_of) -> std::optional<decltype(list[0])> {
  const std::size_t at = lower_bound(list, key, [&](std::size_t i) { return key_of(list[i]); });
  if (at == list.size() || key_of(list[at]) != key) return std::nullopt;
  return list[at];
}

constexpr auto kIdOf = [](const auto& record) { return record.id; };

/// "ADT_A04" in a buffer that is large enough for every key of the tables; longer input cannot match any.
class EventKey {
 public:
  EventKey(std::string_view code, std::string_view trigger) {
    if (code.size() + trigger.size() + 1 > sizeof buffer_) return;
    size_ = code.copy(buffer_, code.size());
    buffer_[size_++] = '_';
    size_ += trigger.copy(buffer_ + size_, trigger.size());
  }
  std::string_view view() const { return {buffer_, size_}; }

 private:
  char buffer_[32] = {};
  std::size_t size_ = 0;
};

std::optional<FieldDef> at_position(const RecordList<FieldDef>& list, std::size_t position) {
  if (position == 0 || position > list.size()) return std::nullopt;
  return list[position - 1];
}

}  // namespace

std::optional<FieldDef> SegmentDef::field(std::size_t position) const {
  return at_position(fields, position);
}

std::optional<FieldDef> DatatypeDef::component(std::size_t position) const {
  return at_position(components, position);
}

std::optional<CodeDef> TableDef::find(std::string_view code) const {
  return find_in(codes, code, [](const CodeDef& entry) { return entry.code; });
}

RecordList<SegmentDef> Dictionary::segments() const {
  return list_of<SegmentDef>(version_, kSegmentRange);
}
RecordList<DatatypeDef> Dictionary::datatypes() const {
  return list_of<DatatypeDef>(version_, kDatatypeRange);
}
RecordList<StructureDef> Dictionary::structures() const {
  return list_of<StructureDef>(version_, kStructureRange);
}
RecordList<TableDef> Dictionary::tables() const {
  return list_of<TableDef>(version_, kTableRange);
}
RecordList<Dictionary::EventDef> Dictionary::events() const {
  return list_of<EventDef>(version_, kEventRange);
}

std::optional<SegmentDef> Dictionary::segment(std::string_view id) const {
  return find_in(segments(), id, kIdOf);
}
std::optional<DatatypeDef> Dictionary::datatype(std::string_view id) const {
  return find_in(datatypes(), id, kIdOf);
}
std::optional<TableDef> Dictionary::table(std::string_view id) const {
  return find_in(tables(), id, kIdOf);
}

std::optional<std::size_t> Dictionary::structure_position(std::string_view id) const {
  // Variants sort directly behind the bare id, so the first record not below it is the match for both
  // spellings.
  const auto list = structures();
  const std::size_t at = lower_bound(list, id, [&](std::size_t i) { return list[i].variant; });
  if (at == list.size()) return std::nullopt;
  const StructureDef found = list[at];
  if (found.variant != id && found.id != id) return std::nullopt;
  return at;
}

std::optional<StructureDef> Dictionary::structure(std::string_view id) const {
  const auto at = structure_position(id);
  if (!at) return std::nullopt;
  return structures()[*at];
}

std::optional<StructureDef> Dictionary::event(std::string_view code, std::string_view trigger) const {
  const EventKey key(code, trigger);
  const auto found = find_in(events(), key.view(), [](const EventDef& event) { return event.event; });
  if (!found) return std::nullopt;
  return structure(found->structure);
}

std::optional<AckDef> Dictionary::ack(std::string_view code, std::string_view trigger) const {
  constexpr std::uint32_t kColumns = 7;
  const std::uint32_t* range =
      detail::kRanges + kRangeColumns * static_cast<std::uint32_t>(version_) + kAckRange;
  const EventKey key(code, trigger);
  const std::uint32_t* rows = detail::kAcks + kColumns * range[0];
  std::uint32_t low = 0, high = range[1];
  while (low < high) {
    const std::uint32_t middle = (low + high) / 2;
    if (detail::text(rows[kColumns * middle]) < key.view())
      low = middle + 1;
    else
      high = middle;
  }
  const std::uint32_t* row = rows + kColumns * low;
  if (low == range[1] || detail::text(row[0]) != key.view()) return std::nullopt;
  return AckDef{{row[1], row[2]}, {row[3], row[4]}, {row[5], row[6]}};
}

std::optional<Version> first_version_with_field(std::string_view id, std::size_t position) {
  for (const Version version : kVersions)
    if (const auto segment = Dictionary(version).segment(id); segment && segment->field(position))
      return version;
  return std::nullopt;
}

std::optional<Version> first_version_with_segment(std::string_view id) {
  for (const Version version : kVersions)
    if (Dictionary(version).segment(id)) return version;
  return std::nullopt;
}

}  // namespace kiln::hl7
