#pragma once
// Tables at run time (hmap.md §8): the rows of `table … {…}` and of `table … = csv "…"`, as one immutable
// snapshot.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/env.h"
#include "mappings/csv.h"

namespace kiln::mappings {

class Library;

/// One table. Immutable after load, thread-safe. Views are valid as long as the table.
class TableData {
 public:
  using Row = std::uint32_t;
  static constexpr int kNoColumn = -1;
  static constexpr Row kNoRow = UINT32_MAX;  ///< has no cells
  /// What a concept map says about codes it does not list.
  enum class Unmapped : std::uint8_t {
    policy,  ///< nothing: the `else` of the rule or table
    keep,    ///< they stay as they are
    fixed    ///< unmapped_code()
  };

  TableData() = default;
  TableData(TableData&&) = default;
  TableData& operator=(TableData&&) = default;
  TableData(const TableData&) = delete;  // the indexes view the cells
  TableData& operator=(const TableData&) = delete;

  const std::string& name() const { return name_; }  ///< qualified
  const std::string& location() const {
    return location_;
  }  ///< the csv file as declared; "" for literal rows
  const std::vector<std::string>& columns() const { return columns_; }
  int column(std::string_view name) const;  ///< kNoColumn when there is none
  std::size_t rows() const { return rows_; }

  /// The row whose key is exactly this text; numbers compare as text. Of several rows with one key the first
  /// counts.
  std::optional<Row> find(std::string_view key) const;
  /// Absent (data() == nullptr) for an empty cell.
  std::string_view cell(Row row, int column) const;

  std::string_view key(Row row) const { return cell(row, key_column_); }
  /// What `x via T` gives: column `code`; else, in a table of two columns, the one that is not the key.
  std::string_view code(Row row) const { return cell(row, code_column_); }
  std::string_view display(Row row) const { return cell(row, display_column_); }
  /// The row's own system, else the table's; may be empty.
  std::string_view system(Row row) const;
  bool has_code() const { return code_column_ != kNoColumn; }

  /// `T.inverse`: the row whose code is this text; of several the one marked `preferred`. Nothing when it is
  /// not unique.
  std::optional<Row> find_inverse(std::string_view code) const;

  Unmapped unmapped() const { return unmapped_; }
  const std::string& unmapped_code() const { return unmapped_code_; }
  const std::string& unmapped_system() const { return unmapped_system_; }

  /// SHA-256 (hex) of what the table was loaded from, for the trace of a message.
  const std::string& content_hash() const { return content_hash_; }

 private:
  friend class TableLoader;

  void build_index();

  std::string name_, location_, system_, content_hash_;
  Unmapped unmapped_ = Unmapped::policy;
  std::string unmapped_code_, unmapped_system_;
  std::vector<std::string> columns_;
  std::size_t rows_ = 0;
  int key_column_ = kNoColumn, code_column_ = kNoColumn, display_column_ = kNoColumn,
      system_column_ = kNoColumn;
  CsvFile file_;                       ///< csv tables: owns the cells
  std::vector<std::string> literals_;  ///< literal tables: owns the cells, rows * columns
  std::vector<bool> literal_present_;
  std::vector<bool> preferred_;
  std::unordered_map<std::string_view, Row> by_key_;
  std::unordered_map<std::string_view, Row> by_code_;
  static constexpr Row kAmbiguous = UINT32_MAX;
};

/// All tables of a library at one moment. Immutable; a message is mapped with one snapshot from begin to end.
class TableSnapshot {
 public:
  /// By qualified name ("acme.legacy.LabCodes"); nullptr when there is none.
  const TableData* find(std::string_view qualified_name) const;
  std::size_t size() const { return tables_.size(); }
  /// SHA-256 (hex) over the names and hashes of all tables that come from files; empty when there are none.
  const std::string& content_hash() const { return content_hash_; }

 private:
  friend class TableLoader;

  std::map<std::string, TableData, std::less<>> tables_;
  std::string content_hash_;
};

/// Loads every table that the library declares; files are relative to Library::root(). A concept map is the
/// named .json file, or the one of the folder `tables` whose `url` it is. Reports E0401 (key column), E0410 (a
/// file cannot be read, or is no CSV or ConceptMap), E0413 (concept maps that lead to each other in a circle)
/// and W0409 (a key appears twice). Never null.
std::shared_ptr<const TableSnapshot> load_tables(const Library& library, base::Env& env,
                                                 base::Diagnostics& diagnostics);

}  // namespace kiln::mappings
