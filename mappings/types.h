#pragma once
// The static types of hmap (hmap.md §5): what the checker knows about a value before any message is seen.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/definitions/definitions.h"

namespace kiln::mappings {

namespace ast {
struct RowDecl;
}

/// A static type. Cheap to copy; views point into the definitions, the dictionary or the syntax trees.
struct StaticType {
  enum class Kind : std::uint8_t {
    error,    ///< already reported; fits everything
    absent,   ///< `omit`, `skip`
    fhir,     ///< scalar (FHIR primitive), complex type, backbone element or resource
    choice,   ///< one of `variants`, told by the value at run time
    v2,       ///< a v2 datatype
    varies,   ///< OBX-5 and the like
    segment,  ///< a v2 segment
    csv_row,
    csv_group,
    table_row,
    duration
  };
  Kind kind = Kind::error;
  bool list = false;
  const fhir::TypeDef* fhir = nullptr;
  std::string_view name;                       ///< v2 datatype or segment
  std::uint32_t index = 0xFFFFFFFFu;           ///< csv schema or table of the unit
  std::vector<const fhir::TypeDef*> variants;  ///< choice
  const fhir::ElementDef* element = nullptr;   ///< fhir, choice: the element it was read from, if any
  const ast::RowDecl* row = nullptr;           ///< table_row: the declared row of a lookup, else null
  const void* table = nullptr;                 ///< table_row: the Declaration of its table, else null

  bool is_error() const { return kind == Kind::error; }
  bool is_v2() const { return kind == Kind::v2 || kind == Kind::varies; }
  bool is_primitive() const { return kind == Kind::fhir && fhir->is_primitive(); }
  bool is_primitive(std::string_view type) const { return is_primitive() && fhir->name() == type; }
  bool is_complex() const { return kind == Kind::fhir && !fhir->is_primitive(); }
  bool is_complex(std::string_view type) const { return is_complex() && fhir->name() == type; }
  StaticType item() const {
    StaticType copy = *this;
    copy.list = false;
    return copy;
  }
  StaticType as_list() const {
    StaticType copy = *this;
    copy.list = true;
    return copy;
  }
};

StaticType fhir_type(const fhir::TypeDef* type);
/// By FHIR name; "bool" is boolean. Kind error when there is no such type.
StaticType fhir_type(std::string_view name);
StaticType v2_type(std::string_view datatype);
StaticType absent_type();
/// "string", "Patient.contact", "ST*", "boolean|dateTime": as diagnostics print it.
std::string name_of(const StaticType& type);

/// Primitives whose value is text.
bool is_text_primitive(std::string_view fhir_primitive);

}  // namespace kiln::mappings
