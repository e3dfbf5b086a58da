#include "mappings/tables.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "mappings/concept_map.h"
#include "mappings/package.h"

namespace kiln::mappings {

using base::ErrorCode;

int TableData::column(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  return found == columns_.end() ? kNoColumn : static_cast<int>(found - columns_.begin());
}

std::string_view TableData::cell(Row row, int column) const {
  if (column < 0 || row >= rows_ || static_cast<std::size_t>(column) >= columns_.size()) return {};
  const std::size_t index = static_cast<std::size_t>(column);
  if (literals_.empty()) return file_.cell(row, index);
  const std::size_t at = row * columns_.size() + index;
  return literal_present_[at] ? std::string_view(literals_[at]) : std::string_view();
}

std::string_view TableData::system(Row row) const {
  const std::string_view own = cell(row, system_column_);
  return own.empty() ? std::string_view(system_) : own;
}

std::optional<TableData::Row> TableData::find(std::string_view key) const {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  return found->second;
}

std::optional<TableData::Row> TableData::find_inverse(std::string_view code) const {
  const auto found = by_code_.find(code);
  if (found == by_code_.end() || found->second == kAmbiguous) return std::nullopt;
  return found->second;
}

void TableData::build_index() {
  code_column_ = column("code");
  if (code_column_ == kNoColumn && columns_.size() == 2) code_column_ = key_column_ == 0 ? 1 : 0;
  display_column_ = column("display");
  system_column_ = column("system");
  for (Row row = 0; row < rows_; ++row) {
    if (!key(row).empty()) by_key_.emplace(key(row), row);
    if (code(row).empty()) continue;
    const auto [entry, added] = by_code_.emplace(code(row), row);
    if (added) continue;
    const bool marked = row < preferred_.size() && preferred_[row];
    const bool kept =
        entry->second != kAmbiguous && entry->second < preferred_.size() && preferred_[entry->second];
    if (marked != kept)
      entry->second = marked ? row : entry->second;
    else
      entry->second = kAmbiguous;
  }
}

const TableData* TableSnapshot::find(std::string_view qualified_name) const {
  const auto found = tables_.find(qualified_name);
  return found == tables_.end() ? nullptr : &found->second;
}

class TableLoader {
 public:
  TableLoader(const Library& library, base::Env& env, base::Diagnostics& diagnostics)
      : library_(library), env_(env), diagnostics_(diagnostics) {}

  std::shared_ptr<const TableSnapshot> load() {
    auto snapshot = std::make_shared<TableSnapshot>();
    for (const auto& declaration : library_.declarations()) {
      const auto* decl = declaration->decl->get_if<ast::TableDecl>();
      if (decl == nullptr) continue;
      TableData table;
      table.name_ = declaration->qualified();
      if (decl->system) table.system_ = decl->system->text;
      using Source = ast::TableDecl::Source;
      if (decl->source == Source::rows)
        literal_rows(*decl, table);
      else if (decl->source == Source::hl7table ||
               !(decl->source == Source::csv ? csv_rows(*decl, table) : concept_rows(*decl, table)))
        continue;  // the checker has the codes of HL7 tables
      table.build_index();
      snapshot->tables_.emplace(table.name_, std::move(table));
    }
    std::string all;
    for (const auto& [name, table] : snapshot->tables_) {
      if (!table.location_.empty()) all += name + "=" + table.content_hash_ + "\n";
    }
    if (!all.empty()) snapshot->content_hash_ = base::sha256_hex(all);
    return snapshot;
  }

 private:
  void report(ErrorCode code, base::Span span, std::string message, std::string help = {}) {
    base::Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.severity = code == ErrorCode::W0409 ? base::Severity::warning : base::Severity::error;
    diagnostic.message = std::move(message);
    diagnostic.span = span;
    if (!help.empty()) diagnostic.helps.push_back(std::move(help));
    diagnostics_.add(std::move(diagnostic));
  }

  void literal_rows(const ast::TableDecl& decl, TableData& table) {
    table.columns_ = {"key", "code", "display", "system"};
    table.key_column_ = 0;
    std::string content;
    for (const ast::TableRow& row : decl.rows) {
      for (const ast::Literal& key : row.keys) {
        const auto cell = [&](const std::string& text, bool present) {
          table.literals_.push_back(text);
          table.literal_present_.push_back(present);
          content += text + '\x1F';
        };
        cell(key.text, true);
        cell(row.value.text, true);
        cell(row.display ? row.display->text : "", row.display.has_value());
        cell(row.system ? row.system->text : "", row.system.has_value());
        table.preferred_.push_back(row.preferred);
        ++table.rows_;
      }
    }
    table.content_hash_ = base::sha256_hex(content);
  }

  bool csv_rows(const ast::TableDecl& decl, TableData& table) {
    const std::string& location = decl.location->text;
    const auto bytes =
        env_.read_file(base::join_path(library_.root(), location), base::limits::kTableBytesMax);
    if (!bytes) {
      report(ErrorCode::E0410, decl.location->span,
             "table " + decl.name.text + ": " + bytes.error().message(), "the name is relative to the site");
      return false;
    }
    auto file = CsvFile::read_any(*bytes, delimiter_of(*bytes), CsvEncoding::utf8);
    if (!file) {
      report(ErrorCode::E0410, decl.location->span,
             "table " + decl.name.text + ": " + location + ": " + file.error().message());
      return false;
    }
    table.location_ = location;
    table.content_hash_ = base::sha256_hex(*bytes);
    table.columns_ = file->column_names();
    table.rows_ = file->rows();
    table.file_ = std::move(*file);
    table.key_column_ = decl.key ? table.column(decl.key->text) : 0;
    if (table.key_column_ == TableData::kNoColumn) {
      missing_key(decl, table);
      return false;
    }
    report_double_keys(decl, table);
    return true;
  }

  /// The file of a concept map: the named one, or the one with that url in the folder `tables`.
  std::string find_concept_map(const std::string& location) {
    if (location.ends_with(".json")) return location;
    if (!urls_read_) {
      urls_read_ = true;
      const auto entries = env_.list(base::join_path(library_.root(), "tables"));
      for (const base::FileInfo& entry : entries ? *entries : std::vector<base::FileInfo>()) {
        if (entry.is_directory || !entry.name.ends_with(".json")) continue;
        const std::string name = base::join_path("tables", entry.name);
        const auto bytes = env_.read_file(base::join_path(library_.root(), name), base::limits::kTableBytesMax);
        if (bytes) urls_.emplace(concept_map_url(*bytes), name);
      }
    }
    const auto found = urls_.find(location);
    return found == urls_.end() ? std::string() : found->second;
  }

  /// Rows of a concept map and of those it leaves the rest to.
  bool concept_rows(const ast::TableDecl& decl, TableData& table) {
    const base::Span span = decl.location->span;
    table.columns_ = {"key", "code", "display", "system"};
    table.key_column_ = 0;
    std::set<std::string> seen, keys;
    std::string content;
    for (std::string next = decl.location->text; !next.empty();) {
      const std::string file = find_concept_map(next);
      if (file.empty()) {
        report(ErrorCode::E0410, span, "table " + decl.name.text + ": there is no ConceptMap " + next,
               "put its JSON into the folder `tables` of the site");
        return false;
      }
      if (!seen.insert(file).second) {
        report(ErrorCode::E0413, span,
               "table " + decl.name.text + ": concept maps lead to each other in a circle at " + next,
               "`unmapped.mode` of one of them has to be `provided` or `fixed`");
        return false;
      }
      const auto bytes = env_.read_file(base::join_path(library_.root(), file), base::limits::kTableBytesMax);
      auto map = bytes ? read_concept_map(*bytes) : base::Result<ConceptRows>(base::fail(bytes.error()));
      if (!map) {
        report(ErrorCode::E0410, span, "table " + decl.name.text + ": " + file + ": " + map.error().message());
        return false;
      }
      if (table.location_.empty()) table.location_ = file;
      content += base::sha256_hex(*bytes);
      for (const ConceptRows::Row& row : map->rows) {
        if (keys.insert(row.code).second) add_row(table, {row.code, row.target, row.display, row.system});
      }
      next = map->unmapped == ConceptRows::Unmapped::other_map ? map->other_map : std::string();
      if (map->unmapped == ConceptRows::Unmapped::keep) table.unmapped_ = TableData::Unmapped::keep;
      if (map->unmapped == ConceptRows::Unmapped::fixed) {
        table.unmapped_ = TableData::Unmapped::fixed;
        table.unmapped_code_ = map->unmapped_code;
        table.unmapped_system_ = map->unmapped_system;
      }
    }
    table.content_hash_ = base::sha256_hex(content);
    return true;
  }

  static void add_row(TableData& table, const std::vector<std::string>& cells) {
    for (const std::string& cell : cells) {
      table.literals_.push_back(cell);
      table.literal_present_.push_back(!cell.empty());
    }
    ++table.rows_;
  }

  void missing_key(const ast::TableDecl& decl, const TableData& table) {
    std::string has;
    std::vector<std::string_view> candidates;
    for (const std::string& column : table.columns_) {
      has += (has.empty() ? "" : ", ") + column;
      candidates.push_back(column);
    }
    const std::string_view near = base::nearest(decl.key->text, candidates);
    report(ErrorCode::E0401, decl.key->span,
           "table " + decl.name.text + ": no column `" + decl.key->text + "` in " + table.location_ +
               " (has: " + has + ")",
           near.empty() ? "" : "did you mean `" + std::string(near) + "`?");
  }

  void report_double_keys(const ast::TableDecl& decl, const TableData& table) {
    std::unordered_map<std::string_view, std::uint32_t> lines;
    for (TableData::Row row = 0; row < table.rows_; ++row) {
      const auto [first, added] = lines.emplace(table.key(row), table.file_.line(row));
      if (added || table.key(row).empty()) continue;
      report(ErrorCode::W0409, decl.location->span,
             "table " + decl.name.text + ": " + table.location_ + " has the key of line " +
                 std::to_string(first->second) + " again in line " + std::to_string(table.file_.line(row)),
             "the first row counts");
    }
  }

  const Library& library_;
  base::Env& env_;
  base::Diagnostics& diagnostics_;
  std::map<std::string, std::string> urls_;  ///< of the concept maps in the folder `tables` -> file
  bool urls_read_ = false;
};

std::shared_ptr<const TableSnapshot> load_tables(const Library& library, base::Env& env,
                                                 base::Diagnostics& diagnostics) {
  return TableLoader(library, env, diagnostics).load();
}

}  // namespace kiln::mappings
