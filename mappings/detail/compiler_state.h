#pragma once
// What all declarations of one compile share: the unit under construction, findings, and declarations that
// are compiled on first use.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "engine/base/diagnostic.h"
#include "mappings/ast.h"
#include "mappings/compiler.h"
#include "mappings/detail/unit_builder.h"
#include "mappings/detail/v2_model.h"
#include "mappings/lock.h"
#include "mappings/package.h"
#include "mappings/types.h"

namespace kiln::mappings::detail {

/// A csv declaration with its columns typed.
struct CsvModel {
  const ast::CsvDecl* decl = nullptr;
  ir::Index schema = ir::kNone;
  std::vector<StaticType> columns;
  int find(std::string_view name) const;  ///< -1: none
  std::vector<std::string_view> names() const;
};

/// A table declaration with its ir::Table.
struct TableModel {
  const ast::TableDecl* decl = nullptr;
  const Declaration* declaration = nullptr;
  ir::Index table = ir::kNone;
  ir::Index inverse = ir::kNone;  ///< made on first use
  struct Row {
    std::string key, value, display;
    bool preferred = false;
    base::Span span;  ///< of the output; of the declaration when the row stands in a file
    std::string system = {};  ///< of this row alone
  };
  /// Written rows, HL7 tables, and rows of files when the Library has its tables.
  std::vector<Row> rows;
  bool rows_known = false;
  bool has_system = false;             ///< gives a system for codings, or that is not known
  bool total = false;                  ///< a concept map that says what becomes of the rest
  std::vector<std::string> columns;    ///< names, when they are known
};

/// A lookup declaration with its ir::LookupSource.
struct LookupModel {
  const ast::LookupDecl* decl = nullptr;
  const ast::RowDecl* row = nullptr;  ///< null when the declaration is wrong
  ir::Index source = ir::kNone;
};

class CompilerState {
 public:
  CompilerState(const Library& the_library, base::Diagnostics& diagnostics);

  const Library& library;
  UnitBuilder builder;
  ir::Unit& unit() { return builder.unit; }

  /// Adds a finding; the same code at the same place is kept once. The reference is valid until the next
  /// call.
  base::Diagnostic& report(base::ErrorCode code, base::Span span, std::string message,
                           std::string label = {});
  std::string_view source_text(base::Span span) const { return library.sources().text(span); }

  /// The compiled fn; kNone when it calls itself (E0502 is reported) or its signature is wrong.
  ir::Index fn(const Declaration& declaration, base::Span use);
  StaticType fn_result(const Declaration& declaration);
  /// The compiled datatype map.
  ir::Index datatype(const Declaration& declaration, base::Span use);
  TableModel& table(const Declaration& declaration);
  /// The reversed table; E0405 when it is not unique.
  ir::Index inverse(TableModel& table, base::Span use);
  CsvModel& csv(const Declaration& declaration);
  LookupModel& lookup(const Declaration& declaration);
  /// E0411 for columns of a `row` that are no scalars.
  void check_row(const Declaration& declaration);
  const std::vector<Conversion>& conversions(const LibraryFile& file);
  /// The structure's tree; cached, stable address.
  const StructureTree& tree(hl7::Version version, const hl7::StructureDef& structure);
  /// A type as written in a parameter, result or `as`. Reports what it does not know.
  StaticType type(const LibraryFile& file, const ast::Type& type);
  ir::Index policy(const ast::Policy& policy);
  ir::Index regex(const std::string& pattern, base::Span span);
  /// CompileOptions::as_version.
  std::string_view as_version;
  bool strict = false;  ///< CompileOptions::strict
  std::function<bool(const MapInfo&)> shipped_maps;  ///< CompileOptions::shipped_maps
  /// What the site's `extend map` declarations remove or replace.
  std::vector<OverriddenRule> overridden;

  /// Fragments that are being inlined, for the recursion check.
  std::vector<const ast::Decl*> include_stack;
  /// Statements of fragments and expressions of constants so far, see mappings/limits.h.
  std::size_t included_statements = 0, constant_parts = 0;
  std::size_t constant_depth = 0;  ///< constants that are being written out
  /// Constants that come to more than one may (E0008 is reported): they are not looked at again.
  std::set<const ast::Decl*> too_large;

 private:
  enum class Progress : std::uint8_t { running, done };
  struct Made {
    Progress progress = Progress::running;
    ir::Index function = ir::kNone;
  };
  ir::Index reserve_function(const std::string& name);
  bool report_cycle(const Declaration& declaration, base::Span use);
  void compile_fn(const Declaration& declaration, ir::Index function);
  void compile_datatype(const Declaration& declaration, ir::Index function);
  ir::Range table_rows(std::vector<ir::TableRow> rows);
  void written_rows(TableModel& model);
  void hl7_rows(TableModel& model, ir::Table& made);
  void loaded_rows(TableModel& model);

  base::Diagnostics& diagnostics_;
  base::Diagnostic scratch_;
  std::set<std::tuple<base::ErrorCode, std::uint32_t, std::uint32_t, std::uint32_t>> reported_;
  std::unordered_map<const ast::Decl*, Made> made_;
  std::vector<const Declaration*> call_stack_;
  std::unordered_map<const ast::Decl*, std::unique_ptr<TableModel>> tables_;
  std::unordered_map<const ast::Decl*, std::unique_ptr<CsvModel>> csvs_;
  std::unordered_map<const ast::Decl*, std::unique_ptr<LookupModel>> lookups_;
  std::unordered_map<const LibraryFile*, std::vector<Conversion>> conversions_;
  std::map<std::pair<hl7::Version, std::string>, std::unique_ptr<StructureTree>> trees_;
  std::unordered_map<std::string, ir::Index> regexes_;
};

/// "did you mean `x`?" as a help line, when something is near.
void suggest(base::Diagnostic& diagnostic, std::string_view wrong,
             const std::vector<std::string_view>& candidates);
/// "a, b and c" of at most `limit` names.
std::string listed(const std::vector<std::string>& names, std::size_t limit = 12);

}  // namespace kiln::mappings::detail
