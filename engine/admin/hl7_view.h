#pragma once
// A stored HL7 message for people: segments and fields with the names and meanings of the dictionary, and its
// group tree. Pure.

#include <string>

#include "hl7/message.h"

namespace kiln::engine {

/// {"version","structure","delimiters","total","next"?,"segments":[…],"findings":[…]}: `limit` segments from
/// number `offset` (from 0). Offsets are bytes of the message; fields without a value are left out.
std::string print_hl7_segments(const hl7::Message& message, std::size_t offset, std::size_t limit);
/// {"structure","items":[{"segment","id"} | {"group","items"}]}
std::string print_hl7_tree(const hl7::Message& message);

}  // namespace kiln::engine
