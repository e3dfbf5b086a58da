#pragma once
// A mapping specification that an analyst can read and sign: what `kiln doc` prints (hmap.md §15). Made from
// the syntax trees alone, in the order of the files, and the same for the same files.

#include <string>
#include <string_view>
#include <vector>

#include "mappings/package.h"

namespace kiln::mappings {

/// One rule. Nested objects are one row for each value they hold, a `match` is one row for each arm.
struct SpecificationRow {
  std::string target;       ///< "Patient.identifier.system", "PID-5.1", column name
  std::string type;         ///< of the target: "uri", "CX"; empty where it is not known
  std::string cardinality;  ///< of the target: "0..1", "1..*"
  std::string effect;       ///< "set", "append", "set if unset", "override"
  std::string source;       ///< the value as written
  std::string
      names;  ///< HL7 paths of the source with their names, "PID-7 Date/Time of Birth (TS)", one a line
  std::string table;      ///< tables the value goes through
  std::string condition;  ///< when the rule applies; empty: always
  std::string policy;     ///< what happens to bad and unmapped values
  std::string note;       ///< the comment beside the rule
  std::string label;      ///< of `@label`
  std::string place;      ///< "maps/adt.hmap:21"
};

/// A resource, segment, row or datatype of a map; its rows.
struct SpecificationPart {
  std::string title;   ///< "patient: Patient", "NK1", "rows"
  std::string detail;  ///< identity, request and condition of a `create`; "for each NK1"
  std::vector<SpecificationRow> rows;
};

struct SpecificationSection {
  enum class Kind { map, extension, datatype } kind = Kind::map;
  std::string name;         ///< qualified
  std::string signature;    ///< as written: "map adt_a01(msg: hl7 ADT_A01 2.5.1) -> fhir Bundle transaction"
  std::string description;  ///< the comment above it
  std::string place;
  std::vector<std::string> policies;      ///< "on bad warn"
  std::vector<std::string> requirements;  ///< `require` and `warn` statements
  std::vector<SpecificationPart> parts;
};

struct SpecificationTable {
  std::string name, system, source, otherwise, place, description;
  struct Row {
    std::string from, to, display;
    std::string system = {};  ///< of `to`, where a concept map or csv file names one; else SpecificationTable::system
  };
  std::vector<Row> rows;  ///< of csv files and concept maps as they are now; empty when they are not loaded
};

struct Specification {
  std::vector<SpecificationSection> sections;
  std::vector<SpecificationTable> tables;  ///< that the sections use, by name
};

/// Of the map or package `name`; of all maps and datatype maps of the site's own files when it is empty.
/// Includes of fragments are followed. Nothing when `name` means nothing.
Specification make_specification(const Library& library, std::string_view name = {});

/// One page without external parts, printable in landscape.
std::string specification_html(const Specification& specification, std::string_view title);
/// One line a rule (RFC 4180, CRLF), with a header line.
std::string specification_csv(const Specification& specification);
/// The code tables as ConceptMap resources of FHIR R4, in a Bundle of type collection; pretty JSON. What a table does
/// with other codes is `unmapped`: `keep` is `provided`, a literal `fixed`, every other policy none.
std::string specification_concept_maps(const Specification& specification);

}  // namespace kiln::mappings
