#pragma once
// A compiled map and how to run it. The engine, the CLI and the tester use nothing else of the runtime
// (result_reader.h reads paths of a result).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engine/base/clock.h"
#include "engine/base/json.h"
#include "engine/base/limits.h"
#include "engine/base/partial_date.h"
#include "engine/base/result.h"

namespace kiln::hl7 {
class Message;
}

namespace kiln::mappings {

namespace ir {
struct Unit;
}
namespace detail {
struct Facts;
}
class TableSnapshot;
struct CsvFormat;

enum class DataKind : std::uint8_t { hl7, fhir, csv };

/// What a map takes or gives: `hl7 ADT_A01 2.5.1`, `fhir Bundle`, `csv LabExport`.
struct DataType {
  DataKind kind = DataKind::hl7;
  std::string name;     ///< structure, event, resource type or csv declaration
  std::string version;  ///< hl7 only: "2.5.1"
};

/// A map, or a package that dispatches to its maps by message structure, then by message type. Immutable,
/// cheap to copy, thread-safe; keeps the compiled unit alive.
class Program {
 public:
  Program() = default;
  /// The map with index `map` of the unit. `facts` are the unit's, shared by all its programs.
  Program(std::shared_ptr<const ir::Unit> unit, std::shared_ptr<const detail::Facts> facts,
          std::uint32_t map);
  /// A package: the maps with these indexes. A run picks the one whose source fits; none: outcome rejected
  /// with E0914.
  Program(std::shared_ptr<const ir::Unit> unit, std::shared_ptr<const detail::Facts> facts,
          std::string package, std::vector<std::uint32_t> maps);

  explicit operator bool() const { return unit_ != nullptr; }
  const std::string& name() const { return name_; }  ///< qualified name of the map or package
  bool is_package() const { return is_package_; }
  DataType input() const;  ///< of the (first) map
  DataType output() const;
  /// A later run may reject with an ack code (W0913), as far as can be known statically.
  bool can_reject() const;

  const ir::Unit& unit() const { return *unit_; }
  const std::shared_ptr<const detail::Facts>& facts() const { return facts_; }
  std::span<const std::uint32_t> maps() const { return maps_; }

 private:
  std::shared_ptr<const ir::Unit> unit_;
  std::shared_ptr<const detail::Facts> facts_;
  std::string name_;
  std::vector<std::uint32_t> maps_;
  bool is_package_ = false;
};

/// A row that is not as declared. The file goes on; whoever maps the row decides (`on bad`).
struct CsvIssue {
  enum class Kind : std::uint8_t {
    missing_value,   ///< a required column is empty
    too_few_cells,   ///< the rest is absent
    too_many_cells,  ///< the surplus is dropped
    stray_quote,     ///< a quote inside an unquoted cell, or text after the closing quote; taken as it stands
    bad_character    ///< not a character of the encoding; became U+FFFD
  };
  Kind kind = Kind::missing_value;
  std::uint32_t row = 0;     ///< 1-based data row; 0 for the header
  std::uint32_t line = 0;    ///< 1-based line of the file where the row starts
  std::int32_t column = -1;  ///< index in CsvFormat::columns, or -1
};
/// Rows of a CSV input, already decoded and split: `columns` in the order of the csv declaration, cells[row *
/// columns + c]. Absent cells are views with data() == nullptr. Borrowed.
struct CsvInput {
  std::size_t columns = 0;
  std::span<const std::string_view> cells;
  std::span<const std::uint32_t> line_numbers;  ///< 1-based, one a row; empty: rows are counted from 1
  std::span<const CsvIssue> issues = {};        ///< in order of the rows
  std::uint64_t issues_dropped = 0;             ///< beyond the limit
};

/// Borrowed for the time of the run; the message must outlive the Runner's result only as far as lineage and
/// unread fields are asked for.
using RunInput = std::variant<const hl7::Message*, base::JsonView, CsvInput>;

/// One fetched or missing row of a lookup (hmap.md §8): `columns` in the order of the row type.
struct LookupKey {
  std::string lookup;  ///< qualified name
  std::vector<std::string> arguments;
  bool operator==(const LookupKey&) const = default;
};
struct LookupAnswer {
  LookupKey key;
  enum class State : std::uint8_t { found, missing, failed } state = State::missing;
  std::vector<std::optional<std::string>> columns;
};

struct RunContext {
  base::WallTime received;   ///< run.received
  std::string_view channel;  ///< run.channel
  const base::TimeZone* timezone =
      nullptr;  ///< for times without an offset in the value or in MSH-7; UTC when null
  const TableSnapshot* tables = nullptr;  ///< csv tables and concept maps, one snapshot a message
  std::span<const LookupAnswer> lookups;  ///< see RunResult::missing_lookups
  std::uint64_t steps_max = base::limits::kMapStepsMax;
  /// A run that takes longer by this clock fails (limit_exceeded); null: steps alone bound it, so that it ends at
  /// the same place wherever it runs. The clock is looked at every few thousand steps.
  const base::Clock* clock = nullptr;
  std::int64_t milliseconds_max = base::limits::kMapMillisecondsMax;
  std::size_t output_bytes_max = base::limits::kMapOutputBytesMax;
  bool strict = false;  ///< notes become warnings
  bool lineage = true;  ///< false only in the bench that measures what lineage costs
};

enum class Outcome : std::uint8_t { ok, ok_with_warnings, rejected, quarantined, failed };
std::string_view name_of(Outcome outcome);

/// Something the run has to say. Holds no patient data: `value` is masked (letters -> x, digits -> 9, at most
/// 12 shown).
struct RunDiagnostic {
  enum class Level : std::uint8_t { note, warning, error } level = Level::warning;
  std::string_view
      code;  ///< stable: "bad-value", "unmapped-code", "dropped-repetition", "unplaced-segment", … Static.
  std::string text;    ///< what happened, from the map or from Kiln
  std::string rule;    ///< "module:map/handle.path@label", may be empty
  std::string source;  ///< "PID-7", "Patient.birthDate", "row 3 column taken"; may be empty
  std::string value;   ///< masked
};

/// One write: which rule, from where, to which byte of the output.
struct LineageRecord {
  std::uint32_t rule = 0;    ///< index into the unit's rules
  std::uint32_t output = 0;  ///< byte offset of the value in RunResult::output
  std::uint64_t source = 0;  ///< SourceRef; decode with result_reader.h
};

struct CreatedResource {
  std::string_view handle;  ///< as declared in the map
  std::string_view type;
  std::uint32_t entry = 0;  ///< index in Bundle.entry; two handles may share one after dedupe
};

/// One CSV row iteration that quarantined itself: becomes a child message.
struct QuarantinedRows {
  std::string reason;
  std::string rule;
  std::vector<std::uint32_t> rows;  ///< 1-based row numbers of the iteration
};

struct RunResult {
  Outcome outcome = Outcome::ok;

  /// rejected: what the acknowledgment says.
  std::string ack_code;  ///< "AE" or "AR"
  int error_code = 0;    ///< table 0357
  std::string reason;    ///< rejected, quarantined and failed: text of the map or of Kiln, no patient data
  std::string location;  ///< where it was decided: source path or rule
  base::ErrorCode error = base::ErrorCode::internal;  ///< failed only

  std::string map;  ///< qualified name of the map that ran (a package dispatches)
  DataKind output_kind = DataKind::fhir;
  std::string output_type;  ///< "Bundle", "Patient", "ADT_A08", the csv declaration's name
  /// fhir: compact JSON. hl7: one message, CR-ended segments. csv: rows in the csv declaration's format,
  /// without header. Empty when the outcome is rejected, quarantined or failed.
  std::string output;
  std::string csv_header;  ///< the header line of a csv output, when the declaration has one
  std::shared_ptr<const CsvFormat> csv_format;   ///< of a csv output
  std::uint32_t csv_columns = 0;
  std::vector<std::uint32_t> csv_row_offsets;  ///< where each row starts in `output`

  std::vector<QuarantinedRows> children;
  std::vector<RunDiagnostic> diagnostics;
  std::uint64_t dropped_diagnostics = 0;
  std::vector<CreatedResource> created;
  std::vector<LineageRecord> lineage;
  /// Not empty: lookups the map asked for and `RunContext::lookups` did not answer. The output is not valid
  /// then; fetch these and run again. Each round asks only for keys that no earlier round asked for.
  std::vector<LookupKey> missing_lookups;
  std::uint64_t steps = 0;  ///< IR instructions executed
  /// TableSnapshot::content_hash() of the tables it was mapped with; empty when no table comes from a file.
  std::string tables_hash;

  bool ok() const { return outcome <= Outcome::ok_with_warnings; }
  bool skipped_all() const { return ok() && output.empty(); }  ///< the map wrote nothing
};

/// A valued leaf of an input: the way to it without positions ("PID-3.4.1", "Patient.name.family", "column
/// taken"), and whether a rule read it.
struct InputValue {
  std::string path;
  bool read = false;
};

/// Runs programs; one per thread. Keeps its buffers, so that a run in the steady state allocates nothing.
class Runner {
 public:
  Runner();
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Never throws for anything in the input. The result is valid until the next run on this Runner; move from
  /// it to keep it.
  RunResult& run(const Program& program, const RunInput& input, const RunContext& context);

  /// The maps that a run with this input could choose, by qualified name: one for a message, those of its type in
  /// order for a FHIR resource, none when the package has no map for it. Reads signatures only.
  std::vector<std::string> maps_for(const Program& program, const RunInput& input);

  /// A standalone expression of the unit (Unit::expressions, CompiledLibrary::expressions) as a condition, or
  /// as text. Total: absent, null, bad and a run beyond its limits give false and "".
  bool evaluate_condition(const Program& program, std::uint32_t expression, const RunInput& input,
                          const RunContext& context);
  std::string evaluate_text(const Program& program, std::uint32_t expression, const RunInput& input,
                            const RunContext& context);

  /// Valued fields of the HL7 or CSV input (leaf elements of a FHIR input) that the last run did not read, as
  /// paths in input order: "PD1-4.1", "Patient.photo". Valid input required; computed on demand.
  std::vector<std::string> unread() const;
  /// Every valued leaf, in input order (of a CSV input every column that has values, read when all of them
  /// are); as unread() otherwise. Two runs on one input list the same leaves.
  std::vector<InputValue> input_values() const;
  /// "PID-7", "Patient.birthDate", "row 3 column taken"; several for a value made of several. Of the last
  /// run.
  std::vector<std::string> source_paths(std::uint64_t source) const;

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace kiln::mappings
