#pragma once
// The forms of the primitive types (datatypes.html#primitive), checked by hand-written rules: no regular
// expressions.

#include <cstdint>
#include <string_view>

#include "engine/base/json.h"
#include "fhir/definitions/definitions.h"

namespace kiln::fhir {

enum class Primitive : std::uint8_t {
  base64_binary,
  boolean,
  canonical,
  code,
  date,
  date_time,
  decimal,
  id,
  instant,
  integer,
  markdown,
  oid,
  positive_int,
  string,
  time,
  unsigned_int,
  uri,
  url,
  uuid,
  xhtml
};

/// Of a type with `is_primitive()`. One table look-up.
Primitive primitive_of(const TypeDef& type);

/// How the type is written in JSON: boolean, number or string.
base::JsonKind json_kind_of(Primitive primitive);

/// The text has the form the type asks for. `text` is the value as JsonView::text() gives it: the decoded
/// string, the number as written, or "true"/"false". Dates must exist (no 30 February), seconds go to 60,
/// years are 0001–9999; integers fit 32 bits. xhtml: one `div` element by its outside only, not what it
/// holds.
bool is_valid_primitive(Primitive primitive, std::string_view text);

/// More digits before the point, or a greater exponent, than any reader here takes. `number` has the form of a JSON
/// number. A small number may have any exponent.
bool is_number_too_large(std::string_view number);

/// resource.html#id: 1–64 of letters, digits, '-' and '.'.
bool is_valid_id(std::string_view text);

}  // namespace kiln::fhir
