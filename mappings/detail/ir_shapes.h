#pragma once
// Types and output shapes of the compiled form; see ir.h.

#include <cstdint>
#include <string_view>

namespace kiln::fhir {
class ValueSet;
}

namespace kiln::mappings::ir {

using Index = std::uint32_t;
inline constexpr Index kNone = 0xFFFFFFFFu;
inline constexpr std::uint16_t kNoSlot = 0xFFFF;
using StringId = Index;  ///< into Unit::strings
using TypeId = std::uint16_t;

/// `count` consecutive entries of the vector the field names.
struct Range {
  Index first = 0, count = 0;
};

// ---- types
// ---------------------------------------------------------------------------------------------------------

enum class TypeKind : std::uint8_t {
  none,          ///< unknown, or the value `omit`
  primitive,     ///< scalar of hmap = FHIR primitive, see Primitive
  fhir,          ///< FHIR complex type, backbone element or resource
  v2_primitive,  ///< v2 datatype without components (ST, NM, DTM …)
  v2_composite,  ///< v2 datatype with components
  v2_varies,     ///< OBX-5 and the like outside a narrowing match
  segment,
  group,  ///< v2
  csv_row,
  csv_group,
  table_row,
  choice  ///< FHIR value whose type is one of several, known at run time by the value's own type
};

enum class Primitive : std::uint8_t {
  none,
  boolean,
  integer,
  positive_int,
  unsigned_int,
  decimal,
  string,
  code,
  id,
  markdown,
  uri,
  url,
  canonical,
  oid,
  uuid,
  base64_binary,
  date,
  date_time,
  instant,
  time,
  xhtml
};

/// Two equal types of a unit have the same TypeId, so `is T` compares ids. Ids 1 … 20 are the Primitives in
/// order.
struct Type {
  TypeKind kind = TypeKind::none;
  Primitive primitive = Primitive::none;
  StringId name = kNone;  ///< "Patient", "Patient.contact", "CX", "PID", "dateTime"
  Index shape = kNone;    ///< shape used when the unit builds values of this type
};

// ---- output shapes
// -------------------------------------------------------------------------------------------------

enum class ShapeKind : std::uint8_t { fhir, v2_structure, v2_group, v2_segment, v2_datatype, csv_row };

struct Member {
  StringId name = kNone;  ///< "deceasedBoolean", "_birthDate", "PID", "5" (field or component number), column
  StringId key = kNone;   ///< FHIR: `"name":` ready to append
  std::uint16_t order = 0;    ///< position in the definition; v2: field, component, place in the structure
  TypeId type = 0;            ///< of one item
  Index shape = kNone;        ///< of one item, when it is an object
  bool list = false;          ///< JSON array, field repetition, repeating segment or group
  bool is_companion = false;  ///< `_x` of a FHIR primitive x: an Element (or array of them)
  std::uint16_t companion = kNoSlot;  ///< slot of `_x`, if any rule writes one
  Index choice = kNone;               ///< into Unit::choices, for variants of value[x]
  StringId pattern = kNone;           ///< CSV date pattern of the column
  bool required = false;              ///< min 1 (FHIR, v2) or `required` (CSV)
};

struct Shape {
  ShapeKind kind = ShapeKind::fhir;
  TypeId type = 0;
  StringId name = kNone;      ///< type name; for FHIR resources also the resourceType
  bool resource = false;      ///< prints "resourceType" first
  std::uint32_t segment = 0;  ///< v2_segment: packed id, see pack_segment
  Range members;              ///< slot n of an instance is members[first + n]; sorted by output order
};

/// The variants of one choice element that the unit writes. `=` and `?=` see them as one element.
struct Choice {
  StringId name = kNone;  ///< "deceased"
  Range variants;         ///< into choice_variants
};
struct ChoiceVariant {
  TypeId type = 0;
  std::uint16_t slot = kNoSlot;
};

inline constexpr std::uint32_t pack_segment(std::string_view id) {
  return id.size() < 3 ? 0
                       : static_cast<std::uint32_t>(static_cast<unsigned char>(id[0])) << 16 |
                             static_cast<std::uint32_t>(static_cast<unsigned char>(id[1])) << 8 |
                             static_cast<std::uint32_t>(static_cast<unsigned char>(id[2]));
}

/// Target of a built-in conversion. A v2 or CSV text is read in HL7 spelling (dates) or as plain text; a FHIR value in
/// FHIR spelling.
enum class Conversion : std::uint8_t {
  to_string, to_code, to_id, to_uri, to_boolean, to_integer, to_positive_int, to_unsigned_int, to_decimal, to_date,
  to_date_time, to_instant, to_time, to_base64, to_markdown,
  to_v2_text,       ///< plain text; booleans Y/N, dates in HL7 spelling, numbers as they are
  to_v2_number, to_v2_date, to_v2_date_time, to_v2_time,
  to_csv_text,      ///< the column's pattern applies on print
  to_reference,     ///< a `ref`, or text already in the form of a reference
  to_v2_copy,       ///< a v2 value with its components, escaped for the output
  to_bound_code,    ///< a code of bound_sets[Expr::c]; another one goes by `on bad`
  none
};

/// A value set whose codes alone an element takes (required binding). The definitions live as long as the process.
struct BoundSet {
  const fhir::ValueSet* set = nullptr;
  StringId what = kNone;  ///< what a diagnostic says of another code
};

}  // namespace kiln::mappings::ir
