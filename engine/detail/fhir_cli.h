#pragma once
// What the verbs over FHIR documents share: inputs in JSON, XML and NDJSON.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "engine/command.h"
#include "fhir/model/json.h"
#include "fhir/model/tree.h"

namespace kiln::engine::detail {

inline constexpr ArgumentSpec kFhirFilesArgument{
    "FILE", "FHIR JSON, XML or .ndjson files, or folders of them; none or - reads standard input", false, true};
inline constexpr OptionSpec kNdjsonOption{"--ndjson", nullptr, "standard input is NDJSON: one resource a line"};

/// One document of the input.
struct FhirDocument {
  std::string name;       ///< "a.json", "standard input", "b.ndjson line 3"
  std::string_view text;  ///< valid during the visit
  bool is_line = false;   ///< of an NDJSON file
  bool is_xml() const;    ///< its first character is '<'
};

/// Every document of every file, folder (its .json, .xml and .ndjson files, sorted) or standard input; one file, of
/// NDJSON one line, in memory at a time. What cannot be read is reported to stderr and the rest goes on. Returns
/// kExitOk, or kExitUsageFile when something could not be read. Progress is shown when there are many.
int for_each_document(const Arguments& arguments, const std::function<void(const FhirDocument&)>& visit);

/// JSON or XML, told by the first character.
base::Result<fhir::Tree> read_document(const FhirDocument& document, const fhir::ReadOptions& options = {});

}  // namespace kiln::engine::detail
