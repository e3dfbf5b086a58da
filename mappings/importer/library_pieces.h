#pragma once
// The declarations of the shipped v2-to-FHIR library, as the importer looks at them: by name and text.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/embedded_file.h"

namespace kiln::mappings {

/// "fragment PID_Patient", "datatype CX -> Identifier" (variants without their name), "map adt_a01".
struct LibraryPiece {
  std::string name;
  std::string_view text;
  std::string place;  ///< file below std/v2fhir: "overlay/patient.hmap"
};

/// Top-level declarations of the files written by hand: from their line to the brace that closes them in the
/// first column.
std::vector<LibraryPiece> library_pieces(std::span<const base::EmbeddedFile> library);

/// The text holds the token, not as the beginning of a longer one.
bool holds_token(std::string_view text, std::string_view token);

}  // namespace kiln::mappings
