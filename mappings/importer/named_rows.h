#pragma once
// Rules of the library that name the rows of the guide they stand for.
//
// A comment behind a rule does it: `// row 5`, `// rows 4 5`, `// rows 4 5; SN[Ratio] row 6: why`. Without the name of
// a sheet it is the sheet that the declaration is named after: `fragment PID_Patient` is PID[Patient],
// `datatype CX -> Identifier` CX[Identifier], `map adt_a01` ADT_A01, `fragment ADT_A01_Patient` of
// gen/messages.hmap ADT_A01.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/embedded_file.h"
#include "mappings/importer/guide.h"

namespace kiln::mappings {

/// The rows that one comment names of one sheet.
struct RowNote {
  std::string sheet;      ///< "" where the comment does not name it
  std::vector<int> rows;  ///< ascending as written, at least one
};

/// What a comment says; nothing when it is no such comment. `text` begins with "//".
std::optional<std::vector<RowNote>> row_notes(std::string_view text);

struct NamedRow {
  std::string kind, sheet;  ///< "segments", "PID[Patient]"; both empty where there is no such sheet
  int row = 0;
  std::string file;  ///< below std/v2fhir: "overlay/patient.hmap"
  /// Rule address "std.v2fhir.segments:PID_Patient.telecom@home"; of a `create` its handle
  /// "std.v2fhir.adt:adt_a01/patient", of an include what it includes "std.v2fhir.adt:adt_a01/patient include PID_Patient",
  /// of a function "std.v2fhir.datatypes:fn personIn".
  std::string rule;
};

/// Rows that the rules of `files` (paths "std/v2fhir/overlay/x.hmap") name, in their order. Comments outside of
/// maps, fragments, datatype maps and functions name nothing.
std::vector<NamedRow> named_rows(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> files);

}  // namespace kiln::mappings
