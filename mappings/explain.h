#pragma once
// Where every value of a run's result came from, by which rule, and what was not read (hmap.md §14).

#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "mappings/package.h"
#include "mappings/program.h"

namespace kiln::mappings {

struct ExplainedSource {
  std::string path;          ///< "PID-7", "Patient.birthDate", "row 3 column taken"
  std::string value;         ///< as it stands in the input; empty for rows of a csv file
  std::uint32_t line = 0;    ///< HL7: segment, 1-based; 0 where there is none
  std::uint32_t column = 0;  ///< HL7: 1-based byte position in the segment
  std::string datatype;      ///< HL7: "CX", "ST"; empty where the dictionary does not know
  std::string name;          ///< HL7: name of the field, "Date/Time of Birth"
};

/// One write of one rule.
struct ExplainedValue {
  std::string path;        ///< FHIRPath ("Bundle.entry[0].resource.birthDate"), "PID-7", or "row 2"
  std::string typed_path;  ///< FHIR: from the resource on ("Patient.birthDate"), else as path
  std::string handle;      ///< of the created resource, may be empty
  std::string value;       ///< as in the output: JSON text, v2 text
  std::string rule;        ///< address "module:map/handle.path@label"
  std::string place;       ///< "std/v2fhir/adt.hmap:21"
  std::string expression;  ///< source text of the rule's value, shortened
  std::vector<ExplainedSource> sources;  ///< empty for a constant
  std::string conversion;                ///< "DTM -> date, precision month"; empty where nothing is known
  std::string policy;                    ///< "on bad warn (map adt_a01, line 36)"
};

/// The explanation of one run. Everything given must outlive it, and the Runner must not have run again.
class Explanation {
 public:
  /// Errors: an output that cannot be read back.
  static base::Result<Explanation> of(const Library& library, const Program& program, const RunInput& input,
                                      const Runner& runner, const RunResult& result);

  /// In order of the output.
  const std::vector<ExplainedValue>& values() const { return values_; }
  /// `Patient.birthDate`, `patient.birthDate` (handle), `Bundle.entry[0].resource.birthDate`, `PID-5`: values
  /// there and below. A step without index matches every item; choice elements go by their base name too.
  std::vector<const ExplainedValue*> at(std::string_view path) const;
  /// What a source path produced: `PID-8`, `PID-3[2].4`, `Patient.name`, `taken` (a csv column). A shallower
  /// path stands for everything in it, a deeper one also finds rules that read the whole.
  std::vector<const ExplainedValue*> from(std::string_view source) const;
  /// Diagnostics of the run that name that source.
  std::vector<const RunDiagnostic*> notes_from(std::string_view source) const;
  /// Valued and never read.
  std::vector<ExplainedSource> unread() const;

 private:
  struct Maker;
  const RunResult* result_ = nullptr;
  std::vector<ExplainedValue> values_;
  std::vector<ExplainedSource> unread_;
};

/// The text of hmap.md §14: path and value, then rule, from and policy lines.
std::string render(const ExplainedValue& value);
/// Whether a source path lies in another, or the other way round: "PID-3" and "PID-3[2].4.1".
bool source_paths_meet(std::string_view a, std::string_view b);

/// One output value that two runs of a message disagree on; null where the run does not write it.
struct ExplainedChange {
  const ExplainedValue* before = nullptr;
  const ExplainedValue* after = nullptr;
};
/// In order of the output paths. Values that the same path holds in both are not listed, by whatever rule.
std::vector<ExplainedChange> difference(const Explanation& before, const Explanation& after);

}  // namespace kiln::mappings
