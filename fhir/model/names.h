#pragma once
// Element names as small numbers: comparing two names of a tree is comparing two integers.

#include <cstdint>
#include <string_view>

#include "fhir/definitions/definitions.h"

namespace kiln::fhir {

/// The name of an element. Ids of names that some R4 type uses are the same in all trees of the process;
/// other names (unknown elements, untyped JSON) get ids of their tree, from kLocalNames on.
using NameId = std::uint32_t;
inline constexpr NameId kNoName = 0;
inline constexpr NameId kLocalNames = 0x8000'0000;

/// The id of a name that an R4 type uses for an element ("value" for value[x], never "valueString"); kNoName
/// when none does. Thread-safe; the table is made at the first call.
NameId find_name(std::string_view name);
/// Of a definition's element: one array look-up.
NameId name_id(const ElementDef& element);
/// Of an id below kLocalNames; lives as long as the process.
std::string_view name_text(NameId id);
/// Largest id that find_name() gives.
NameId last_name();

}  // namespace kiln::fhir
