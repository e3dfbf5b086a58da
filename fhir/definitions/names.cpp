// Apart from definitions.cpp, so that the generator links before there are any tables.

#include "fhir/definitions/definitions.h"

namespace kiln::fhir {

std::string_view name_of(SearchType type) {
  static constexpr std::string_view kNames[] = {"number",    "date",     "string", "token",  "reference",
                                                "composite", "quantity", "uri",    "special"};
  return kNames[static_cast<std::size_t>(type)];
}

}  // namespace kiln::fhir
