#pragma once
// The tables of the HL7 v2-to-FHIR guide (CSV form, as the guide's project publishes them) as rows.

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/env.h"
#include "engine/base/result.h"

namespace kiln::mappings {

/// One row of a message, segment or datatype table.
struct GuideRow {
  int row = 0;                  ///< record of the sheet, from 1; the first two are headings
  std::string source;           ///< "PID-3", "CX.4", "ADT_A01.PID"; "" or the segment alone: unconditional
  std::string target;           ///< FHIR path; "" where the guide maps nothing
  std::string map;              ///< messages: segment map; else the datatype map
  std::string condition = {};   ///< pseudo-English: "IF PID-29 NOT VALUED"
  std::string narrative = {};   ///< a condition that only people can decide
  std::string vocabulary = {};  ///< segments, datatypes: name of a code table
  std::string assignment = {};  ///< segments, datatypes: a literal in quotes, or prose
  std::string datatype = {};    ///< segments, datatypes: of the source, "CWE"
  std::string references = {};  ///< messages: links between resources
};

/// One row of a code table.
struct GuideCode {
  int row = 0;
  std::string from, to, display, system;
};

struct GuideSheet {
  std::string kind;  ///< "messages", "segments", "datatypes", "codesystems"
  std::string name;  ///< "PID[Patient]", "ADT_A01", "AdministrativeSex"
  std::vector<GuideRow> rows;
  std::vector<GuideCode> codes;  ///< codesystems only
};

/// All sheets below `folder`, by kind and name. Errors: those of reading files; not_found when it holds none
/// of the four folders.
base::Result<std::vector<GuideSheet>> read_guide(base::Env& env, const std::string& folder);

}  // namespace kiln::mappings
