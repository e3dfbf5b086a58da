#include "mappings/types.h"

#include <algorithm>
#include <array>

namespace kiln::mappings {

StaticType fhir_type(const fhir::TypeDef* type) {
  StaticType result;
  if (type == nullptr) return result;
  result.kind = StaticType::Kind::fhir;
  result.fhir = type;
  return result;
}

StaticType fhir_type(std::string_view name) {
  return fhir_type(fhir::find_type(name == "bool" ? "boolean" : name));
}

StaticType v2_type(std::string_view datatype) {
  StaticType result;
  const bool varies = datatype == "varies" || datatype == "VARIES" || datatype == "Varies" ||
                      datatype == "*" || datatype == "var" || datatype.empty();
  result.kind = varies ? StaticType::Kind::varies : StaticType::Kind::v2;
  result.name = datatype;
  return result;
}

StaticType absent_type() {
  StaticType result;
  result.kind = StaticType::Kind::absent;
  return result;
}

std::string name_of(const StaticType& type) {
  std::string name;
  switch (type.kind) {
    case StaticType::Kind::error:
      name = "?";
      break;
    case StaticType::Kind::absent:
      name = "omit";
      break;
    case StaticType::Kind::fhir:
      name = type.fhir->name();
      break;
    case StaticType::Kind::choice:
      for (const auto* variant : type.variants) {
        if (!name.empty()) name += '|';
        name += variant->name();
        if (name.size() > 60) {
          name += "|…";
          break;
        }
      }
      break;
    case StaticType::Kind::v2:
      name = type.name;
      break;
    case StaticType::Kind::varies:
      name = "varies";
      break;
    case StaticType::Kind::segment:
      name = type.name;
      break;
    case StaticType::Kind::csv_row:
      name = "row";
      break;
    case StaticType::Kind::csv_group:
      name = "group of rows";
      break;
    case StaticType::Kind::table_row:
      name = "table row";
      break;
    case StaticType::Kind::duration:
      name = "duration";
      break;
  }
  if (type.list) name += '*';
  return name;
}

bool is_text_primitive(std::string_view name) {
  static constexpr std::array kText = {"string",    "code", "id",   "markdown",     "uri",  "url",
                                       "canonical", "oid",  "uuid", "base64Binary", "xhtml"};
  return std::find(kText.begin(), kText.end(), name) != kText.end();
}

}  // namespace kiln::mappings
