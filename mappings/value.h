#pragma once
// Values of a running map (hmap.md §5, §10): absent, null ("" in HL7 v2) or a value. A Value is small, copied
// freely and owns nothing: its text lives in the input, in the program or in the Arena of the run.

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/json.h"
#include "engine/base/partial_date.h"
#include "mappings/arena.h"

namespace re2 {
class RE2;
}

namespace kiln::mappings {

enum class ValueKind : std::uint8_t {
  absent,  ///< no information
  null_,   ///< the sender says: there is none ("" in v2, data-absent in FHIR)
  bad,     ///< a conversion or function could not make sense of its input; `text` says why (no value in it)
  boolean,
  integer,
  decimal,  ///< `text` is valid JSON number text, digits kept
  string,
  date,       ///< date, dateTime or instant with its precision
  time,       ///< `text` is hh:mm:ss[.f]
  hl7,        ///< a part of the input message, not yet converted
  json,       ///< an element of the FHIR input
  row,        ///< one CSV row
  rows,       ///< rows of a `group by`: `items` are rows
  table_row,  ///< a row of a table or lookup
  object,     ///< a built object (a `{ … }` block) that is not yet part of an output
  record,     ///< what a function builds: `items` are names (strings) and values in turn
  reference,  ///< `ref handle`
  list,
  pattern  ///< a compiled regular expression of the program
};

/// Where a value comes from, for lineage. 0 = from no input (a constant).
using SourceRef = std::uint64_t;

/// A part of the input message: a byte range of Message::bytes(). Its level is in Value::flags.
struct Hl7Ref {
  std::uint32_t begin = 0, end = 0;
};
/// A segment (a parameter of a fn or datatype map) has its index in `begin`.
enum class Hl7Level : std::uint8_t { field, repetition, component, leaf, segment };

struct CreatedNode;
struct TableCursor;
struct OutputNode;  // mappings/targets/tree.h
/// Flag of the strings that precision() gives: base::DatePrecision in the low bits; such strings compare in
/// that order.
inline constexpr std::uint8_t kPrecisionFlag = 0x80;
/// Flag of a string that is a v2 field with its separators, escaped for the output.
inline constexpr std::uint8_t kEncodedFlag = 0x40;
/// Flags of a decimal that parseDecimal() found behind a comparator ("<5,4"): only quantity() can keep it,
/// anywhere else such a number is bad.
enum class Comparator : std::uint8_t { none, less, less_or_equal, greater_or_equal, greater };

struct Value {
  ValueKind kind = ValueKind::absent;
  std::uint8_t flags = 0;  ///< see kPrecisionFlag, kComparatorMask, Hl7Level; 0 otherwise
  std::uint16_t type = 0;  ///< type id of the compiled unit, 0 = not known
  std::uint32_t size = 0;  ///< of text or items
  union {
    const char* text_data;
    const base::PartialDate* date;
    const Value* items;
    const OutputNode* object;
    const CreatedNode* created;
    std::uint32_t row;  ///< index of the row, from 0
    const TableCursor* table_row;
    const base::JsonView* json;
    std::int64_t integer;
    bool boolean;
    const re2::RE2* pattern;
    Hl7Ref hl7;
  };
  SourceRef source = 0;

  Value() : integer(0) {}

  bool is_absent() const { return kind == ValueKind::absent; }
  bool is_null() const { return kind == ValueKind::null_; }
  bool is_bad() const { return kind == ValueKind::bad; }
  /// Neither absent nor null nor bad: HL7's "valued".
  bool is_value() const { return kind > ValueKind::bad; }
  /// Text of string, decimal, time and bad.
  std::string_view text() const { return {text_data, size}; }
  std::span<const Value> list() const { return {items, size}; }

  static Value absent() { return {}; }
  static Value null() { return of_kind(ValueKind::null_); }
  /// `why` is a literal: it never holds a value.
  static Value bad(std::string_view why) { return of_text(ValueKind::bad, why); }
  static Value of_boolean(bool value) {
    Value v = of_kind(ValueKind::boolean);
    v.boolean = value;
    return v;
  }
  static Value of_integer(std::int64_t value) {
    Value v = of_kind(ValueKind::integer);
    v.integer = value;
    return v;
  }
  static Value of_string(std::string_view value) { return of_text(ValueKind::string, value); }
  static Value of_decimal(std::string_view json_number) { return of_text(ValueKind::decimal, json_number); }
  static Value of_time(std::string_view value) { return of_text(ValueKind::time, value); }
  static Value of_date(const base::PartialDate* value) {
    Value v = of_kind(ValueKind::date);
    v.date = value;
    return v;
  }
  static Value of_list(std::span<const Value> values) {
    Value v = of_kind(ValueKind::list);
    v.items = values.data();
    v.size = static_cast<std::uint32_t>(values.size());
    return v;
  }
  Value from(SourceRef ref) const {
    Value v = *this;
    v.source = ref;
    return v;
  }

 private:
  static Value of_kind(ValueKind kind) {
    Value v;
    v.kind = kind;
    return v;
  }
  static Value of_text(ValueKind kind, std::string_view value) {
    Value v = of_kind(kind);
    v.text_data = value.data();
    v.size = static_cast<std::uint32_t>(value.size());
    return v;
  }
};
static_assert(sizeof(Value) <= 32);

}  // namespace kiln::mappings
