#pragma once
// Reads paths of a run's result: what `expect` of a test (hmap.md §16) and `kiln explain` ask.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mappings/program.h"

namespace kiln::mappings {

/// One step of a path as written in hmap: `.name`, `[n]` (1-based), `[last]`, `PID-5`, `.1`, `.ext(url)`.
struct ReadStep {
  enum class Kind : std::uint8_t { member, index, last, hl7_field, component, extension } kind = Kind::member;
  std::string_view name;     ///< member; extension: its url; hl7_field: segment id
  std::uint32_t number = 0;  ///< index, component; hl7_field: field number
};

/// What a path leads to. `items` are all matches: a list without an index matches all its items.
struct ReadItem {
  std::string type;          ///< FHIR type name ("dateTime", "Quantity", "Patient"), "string" for v2 and csv
  base::JsonView json;       ///< fhir only
  std::string text;          ///< scalar text: decoded string, number as written, "true"
  bool is_null = false;      ///< v2: ""
  std::uint32_t offset = 0;  ///< byte offset in RunResult::output
  bool is_object = false;
};

/// A parsed result; the result must outlive it.
class ResultReader {
 public:
  static base::Result<ResultReader> open(const RunResult& result);

  /// `root` is a handle ("patient"), a resource type ("Observation": all of them), "Bundle" or "" (the whole
  /// output), or "rows" for csv. Choice elements go by their base name (`deceased`).
  std::vector<ReadItem> read(std::string_view root, std::span<const ReadStep> steps) const;
  bool has_root(std::string_view root) const;

  /// Lineage records of the value at `item` and of everything inside it.
  std::vector<LineageRecord> lineage(const ReadItem& item) const;
  /// FHIRPath of the value that starts at the byte offset: "Bundle.entry[0].resource.birthDate"; "PID-7" for
  /// v2.
  std::string output_path(std::uint32_t offset) const;

 private:
  struct Parsed;
  std::shared_ptr<const Parsed> parsed_;
};

}  // namespace kiln::mappings
