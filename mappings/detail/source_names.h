#pragma once
// HL7 names of the paths in a piece of map text, for people.

#include <string>
#include <string_view>

#include "hl7/dictionary/dictionary.h"

namespace kiln::mappings::detail {

/// "PID-8 Administrative Sex (IS)" for each v2 path of `source`, one a line, each once. `datatype` is what
/// `.1` is a component of ("CX"), or empty.
std::string source_names(std::string_view source, const hl7::Dictionary& dictionary,
                         std::string_view datatype);

}  // namespace kiln::mappings::detail
