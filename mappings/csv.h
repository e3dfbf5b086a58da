#pragma once
// CSV and fixed-width files as a `csv` declaration describes them (hmap.md §2, §16): reader, writer. RFC 4180
// quoting, also with line breaks inside quotes; the bytes are made UTF-8 once, cells are views of them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/diagnostic.h"
#include "engine/base/result.h"
#include "mappings/ast.h"
#include "mappings/program.h"

namespace kiln::mappings {

enum class CsvEncoding : std::uint8_t { utf8, latin1, windows1252 };
/// utf-8, iso-8859-1 (latin1), windows-1252 (cp1252), in any case.
std::optional<CsvEncoding> find_csv_encoding(std::string_view name);

struct CsvColumnFormat {
  std::string name;
  std::string header;      ///< text in the header line; the name when the declaration gives none
  std::uint32_t from = 0;  ///< fixed width: 1-based character positions, inclusive; 0 = delimited
  std::uint32_t to = 0;
  bool required = false;
};

/// What a `csv` declaration says about the file. A plain value.
struct CsvFormat {
  std::string name;  ///< of the declaration, for messages
  char delimiter = ',';
  CsvEncoding encoding = CsvEncoding::utf8;
  bool header = true;
  /// A cell of exactly this text, quoted or not, is null. An empty cell is absent, also a quoted one unless
  /// the null text is "".
  std::optional<std::string> null_text;
  bool extra_columns = false;  ///< `extra_columns ignore`: header columns without declaration are passed over
  std::vector<CsvColumnFormat> columns;

  bool fixed_width() const { return !columns.empty() && columns.front().from != 0; }
};

/// Options: delimiter STRING (one character, "\t" too), encoding STRING, header true|false, null as STRING,
/// extra_columns ignore|refuse. Reports E0804 for what it does not understand.
CsvFormat csv_format(const ast::CsvDecl& declaration, base::Diagnostics& diagnostics);

std::string_view text_of(CsvIssue::Kind kind);

/// A read file. Owns the text that the cells view; movable.
class CsvFile {
 public:
  /// Columns are found by header text (any order; ASCII case and outer blanks do not matter), by position
  /// without a header, or by character position. Empty lines are passed over; a byte order mark is too.
  /// Errors: E0801 a header column that is not declared (remedy: did you mean), E0802 a required column is
  /// not in the header, E0803 an open quote at the end of the file, limit_exceeded (kCsvLineBytesMax,
  /// kCsvColumnsMax, kCsvRowsMax). The place of an error is "line N".
  static base::Result<CsvFile> read(std::string_view bytes, const CsvFormat& format);
  /// As above without a declaration: the columns are those of the header line, which is lower-cased by
  /// nobody.
  static base::Result<CsvFile> read_any(std::string_view bytes, char delimiter, CsvEncoding encoding);

  std::size_t columns() const { return columns_; }
  std::size_t rows() const { return line_numbers_.size(); }
  /// 0-based. Absent: data() == nullptr. Null (`null as`): is_null(). Valid as long as the CsvFile.
  std::string_view cell(std::size_t row, std::size_t column) const& {
    return cells_[row * columns_ + column];
  }
  std::string_view cell(std::size_t row, std::size_t column) const&& = delete;
  /// The null cells are views of this very text.
  static bool is_null(std::string_view cell);
  /// 1-based line of the file where the row starts, for lineage and messages.
  std::uint32_t line(std::size_t row) const { return line_numbers_[row]; }
  const std::vector<std::string>& column_names() const { return names_; }
  /// In order of the rows. At most limits::kCsvIssuesMax; issues_dropped() counts the others.
  const std::vector<CsvIssue>& issues() const { return issues_; }
  std::uint64_t issues_dropped() const { return issues_dropped_; }
  /// For a run of a map; views of this file.
  CsvInput input() const& { return {columns_, cells_, line_numbers_, issues_, issues_dropped_}; }
  CsvInput input() const&& = delete;

 private:
  friend class CsvReader;

  std::vector<char> text_;  ///< UTF-8; not a std::string, whose short form would move the cells
  std::vector<std::string> names_;
  std::vector<std::string_view> cells_;
  std::vector<std::uint32_t> line_numbers_;
  std::vector<CsvIssue> issues_;
  std::uint64_t issues_dropped_ = 0;
  std::size_t columns_ = 0;
};

/// Of `,` `;` and tab, the one that the header line holds most of.
char delimiter_of(std::string_view text);

/// Appends one CRLF-ended line in the format's delimiter and encoding; a cell with delimiter, quote, line
/// break or outer blank is quoted. An absent or empty cell is empty, a null cell the null text (empty without
/// one). Fixed width: cells are padded with blanks, and cut when too long; line breaks become blanks. Returns
/// the number of cells that lost something (cut, or characters the encoding lacks, written "?").
std::size_t append_csv_row(std::string& out, std::span<const std::string_view> cells,
                           const CsvFormat& format);
/// The header line; appends nothing when the format has none.
void append_csv_header(std::string& out, const CsvFormat& format);

}  // namespace kiln::mappings
