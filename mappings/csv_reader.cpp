// Reads CSV and fixed-width text into cells. Quoted cells are unescaped in place, so a cell is always one
// view.

#include <algorithm>
#include <cstring>
#include <map>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "hl7/charset.h"
#include "mappings/csv.h"
#include "mappings/limits.h"

namespace kiln::mappings {

using base::ErrorCode;

namespace {

constexpr char kNullMarker[] = "";  // its address marks a null cell; its length is 0
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

hl7::Charset charset_of(CsvEncoding encoding) {
  if (encoding == CsvEncoding::latin1) return hl7::Charset::latin1();
  if (encoding == CsvEncoding::windows1252) return *hl7::Charset::find("windows-1252");
  return hl7::Charset::utf8();
}

std::string line_place(std::uint32_t line) {
  return "line " + std::to_string(line);
}

}  // namespace

bool CsvFile::is_null(std::string_view cell) {
  return cell.data() == kNullMarker;
}

std::string_view text_of(CsvIssue::Kind kind) {
  switch (kind) {
    case CsvIssue::Kind::missing_value:
      return "a required column is empty";
    case CsvIssue::Kind::too_few_cells:
      return "the row has too few cells";
    case CsvIssue::Kind::too_many_cells:
      return "the row has too many cells";
    case CsvIssue::Kind::stray_quote:
      return "a quote stands inside a cell that is not quoted";
    case CsvIssue::Kind::bad_character:
      return "a character is not in the file's encoding";
  }
  return {};
}

class CsvReader {
 public:
  CsvReader(std::string_view bytes, const CsvFormat& format) : format_(format) { decode(bytes); }

  base::Result<CsvFile> read() {
    TRY_VOID(format_.fixed_width() ? read_fixed() : read_delimited());
    return std::move(out_);
  }

  base::Result<CsvFile> read_any() {
    TRY_VOID(read_record());
    std::vector<std::string> names;
    for (const Cell& cell : record_) names.emplace_back(base::trim(cell.text));
    out_.names_ = names;
    out_.columns_ = names.size();
    for (std::size_t i = 0; i < names.size(); ++i) column_of_cell_.push_back(static_cast<int>(i));
    TRY_VOID(read_rows());
    return std::move(out_);
  }

 private:
  struct Cell {
    std::string_view text;
    bool quoted = false;
    bool stray = false;
  };

  void decode(std::string_view bytes) {
    if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
    const hl7::Charset charset = charset_of(format_.encoding);
    out_.text_.resize(std::max<std::size_t>(
        1, charset.is_utf8() && charset.valid(bytes) ? bytes.size() : 3 * bytes.size()));
    out_.text_.resize(charset.to_utf8(bytes, out_.text_.data(), &damaged_));
    text_ = out_.text_.data();
    size_ = out_.text_.size();
  }

  // ---- records ----

  bool at_end() const { return at_ >= size_; }

  void take_line_end() {
    if (text_[at_] == '\r' && at_ + 1 < size_ && text_[at_ + 1] == '\n') ++at_;
    ++at_;
    ++line_;
  }

  /// The cells from `at_` to the end of the line into record_.
  base::Status read_record() {
    record_.clear();
    record_line_ = line_;
    const std::size_t begin = at_;
    for (;;) {
      TRY(const Cell cell, read_cell());
      record_.push_back(cell);
      if (at_ - begin > base::limits::kCsvLineBytesMax) {
        return base::fail(ErrorCode::limit_exceeded, "a CSV row is too long", line_place(record_line_),
                          "look for a quote that is opened and never closed");
      }
      if (record_.size() > base::limits::kCsvColumnsMax) {
        return base::fail(ErrorCode::limit_exceeded, "a CSV row has too many columns",
                          line_place(record_line_));
      }
      if (at_end()) return {};
      if (text_[at_] != format_.delimiter) break;
      ++at_;
    }
    take_line_end();
    return {};
  }

  bool ends_cell(char c) const { return c == format_.delimiter || c == '\n' || c == '\r'; }

  base::Result<Cell> read_cell() {
    if (!at_end() && text_[at_] == '"') return read_quoted();
    const std::size_t begin = at_;
    bool stray = false;
    for (; !at_end() && !ends_cell(text_[at_]); ++at_) stray = stray || text_[at_] == '"';
    return Cell{{text_ + begin, at_ - begin}, false, stray};
  }

  base::Result<Cell> read_quoted() {
    const std::uint32_t opened_at = line_;
    ++at_;
    const std::size_t begin = at_;
    std::size_t write = at_;
    for (;; ++at_) {
      if (at_end()) {
        return base::fail(ErrorCode::E0803, "a quote is opened and never closed", line_place(opened_at),
                          "double a quote that belongs to the text: \"\"");
      }
      const char c = text_[at_];
      if (c == '"') {
        if (at_ + 1 >= size_ || text_[at_ + 1] != '"') break;
        ++at_;
      } else if (c == '\n' || (c == '\r' && (at_ + 1 >= size_ || text_[at_ + 1] != '\n'))) {
        ++line_;
      }
      text_[write++] = text_[at_];
    }
    ++at_;
    const bool stray = !at_end() && !ends_cell(text_[at_]);
    while (!at_end() && !ends_cell(text_[at_])) text_[write++] = text_[at_++];
    return Cell{{text_ + begin, write - begin}, true, stray};
  }

  // ---- delimited files ----

  base::Status read_delimited() {
    declare_columns();
    if (format_.header) {
      TRY_VOID(skip_empty_lines());
      TRY_VOID(read_record());
      TRY_VOID(match_header());
    } else {
      for (std::size_t i = 0; i < format_.columns.size(); ++i) column_of_cell_.push_back(static_cast<int>(i));
    }
    return read_rows();
  }

  void declare_columns() {
    out_.columns_ = format_.columns.size();
    for (const CsvColumnFormat& column : format_.columns) out_.names_.push_back(column.name);
  }

  base::Status skip_empty_lines() {
    while (!at_end() && (text_[at_] == '\n' || text_[at_] == '\r')) take_line_end();
    return {};
  }

  base::Status match_header() {
    std::map<std::string, int> by_header;
    for (std::size_t i = 0; i < format_.columns.size(); ++i) {
      by_header[base::lower_ascii(base::trim(format_.columns[i].header))] = static_cast<int>(i);
    }
    std::vector<bool> found(format_.columns.size(), false);
    for (const Cell& cell : record_) {
      const std::string_view header = base::trim(cell.text);
      const auto column = by_header.find(base::lower_ascii(header));
      if (column == by_header.end()) {
        if (!format_.extra_columns) return unknown_column(header);
        column_of_cell_.push_back(-1);
        continue;
      }
      const auto index = static_cast<std::size_t>(column->second);
      if (found[index]) {
        return base::fail(ErrorCode::E0801,
                          "CSV column \"" + format_.columns[index].header + "\" appears twice",
                          line_place(record_line_));
      }
      found[index] = true;
      column_of_cell_.push_back(column->second);
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (found[i] || !format_.columns[i].required) continue;
      return base::fail(
          ErrorCode::E0802,
          "CSV column \"" + format_.columns[i].header + "\" of " + format_.name + " is not in the file",
          line_place(record_line_), "it is declared `required`");
    }
    return {};
  }

  /// The header is the file's own text, but a file without header would show a patient's data here, so only
  /// what looks like a name is quoted.
  tl::unexpected<base::Error> unknown_column(std::string_view header) const {
    std::vector<std::string_view> candidates;
    for (const CsvColumnFormat& column : format_.columns) candidates.push_back(column.header);
    const std::string_view near = base::nearest(header, candidates);
    if (near.empty()) {
      return base::fail(
          ErrorCode::E0801, "a CSV column is not in " + format_.name, line_place(record_line_),
          "declare it, or `extra_columns ignore`; `header false` when the file has no header line");
    }
    return base::fail(ErrorCode::E0801,
                      "CSV column \"" + std::string(header) + "\" is not in " + format_.name,
                      line_place(record_line_), "did you mean \"" + std::string(near) + "\"?");
  }

  base::Status read_rows() {
    while (!at_end()) {
      TRY_VOID(read_record());
      if (record_.size() == 1 && record_[0].text.empty() && !record_[0].quoted) continue;
      TRY_VOID(begin_row(record_line_));
      const std::size_t row_begin = out_.cells_.size() - out_.columns_;
      for (std::size_t i = 0; i < record_.size(); ++i) {
        const int column = i < column_of_cell_.size() ? column_of_cell_[i] : -1;
        if (record_[i].stray) issue(CsvIssue::Kind::stray_quote, column);
        if (column < 0) continue;
        out_.cells_[row_begin + static_cast<std::size_t>(column)] =
            value_of(record_[i].text, record_[i].quoted, column);
      }
      if (record_.size() < column_of_cell_.size()) issue(CsvIssue::Kind::too_few_cells, -1);
      if (record_.size() > column_of_cell_.size()) issue(CsvIssue::Kind::too_many_cells, -1);
      check_required(row_begin);
    }
    return {};
  }

  // ---- fixed width ----

  base::Status read_fixed() {
    declare_columns();
    bool header = format_.header;
    while (!at_end()) {
      const std::size_t begin = at_;
      while (!at_end() && text_[at_] != '\n' && text_[at_] != '\r') ++at_;
      const std::string_view line(text_ + begin, at_ - begin);
      const std::uint32_t number = line_;
      if (!at_end()) take_line_end();
      if (line.size() > base::limits::kCsvLineBytesMax) {
        return base::fail(ErrorCode::limit_exceeded, "a line is too long", line_place(number));
      }
      if (base::trim(line).empty() || std::exchange(header, false)) continue;
      TRY_VOID(begin_row(number));
      fixed_row(line);
    }
    return {};
  }

  void fixed_row(std::string_view line) {
    offsets_.clear();  // where each character starts
    for (std::size_t i = 0; i < line.size(); ++i) {
      if ((static_cast<unsigned char>(line[i]) & 0xC0) != 0x80) offsets_.push_back(i);
    }
    const std::size_t characters = offsets_.size();
    offsets_.push_back(line.size());
    const std::size_t row_begin = out_.cells_.size() - out_.columns_;
    for (std::size_t i = 0; i < format_.columns.size(); ++i) {
      const std::size_t from = std::min<std::size_t>(format_.columns[i].from - 1, characters);
      const std::size_t to = std::min<std::size_t>(format_.columns[i].to, characters);
      if (from >= to) continue;
      const std::string_view cell = base::trim(line.substr(offsets_[from], offsets_[to] - offsets_[from]));
      out_.cells_[row_begin + i] = value_of(cell, false, static_cast<int>(i));
    }
    check_required(row_begin);
  }

  // ---- rows ----

  base::Status begin_row(std::uint32_t line) {
    if (out_.line_numbers_.size() >= base::limits::kCsvRowsMax ||
        out_.cells_.size() + out_.columns_ > base::limits::kCsvCellsMax) {
      return base::fail(ErrorCode::limit_exceeded, "the CSV file has too many rows", line_place(line),
                        "split the file");
    }
    out_.line_numbers_.push_back(line);
    out_.cells_.resize(out_.cells_.size() + out_.columns_);
    return {};
  }

  std::string_view value_of(std::string_view text, bool quoted, int column) {
    if (damaged_ && text.find(kReplacement) != std::string_view::npos)
      issue(CsvIssue::Kind::bad_character, column);
    if (format_.null_text && text == *format_.null_text && (quoted || !text.empty())) return {kNullMarker, 0};
    return text.empty() ? std::string_view() : text;
  }

  void check_required(std::size_t row_begin) {
    for (std::size_t i = 0; i < format_.columns.size(); ++i) {
      const bool empty = out_.cells_[row_begin + i].empty();
      if (format_.columns[i].required && empty) issue(CsvIssue::Kind::missing_value, static_cast<int>(i));
    }
  }

  void issue(CsvIssue::Kind kind, int column) {
    if (out_.issues_.size() >= limits::kCsvIssuesMax) {
      ++out_.issues_dropped_;
      return;
    }
    out_.issues_.push_back(
        {kind, static_cast<std::uint32_t>(out_.line_numbers_.size()), out_.line_numbers_.back(), column});
  }

  const CsvFormat& format_;
  CsvFile out_;
  char* text_ = nullptr;
  std::size_t size_ = 0;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  bool damaged_ = false;
  std::vector<Cell> record_;
  std::uint32_t record_line_ = 1;
  std::vector<int> column_of_cell_;  ///< -1: passed over
  std::vector<std::size_t> offsets_;
};

base::Result<CsvFile> CsvFile::read(std::string_view bytes, const CsvFormat& format) {
  return CsvReader(bytes, format).read();
}

base::Result<CsvFile> CsvFile::read_any(std::string_view bytes, char delimiter, CsvEncoding encoding) {
  CsvFormat format;
  format.delimiter = delimiter;
  format.encoding = encoding;
  return CsvReader(bytes, format).read_any();
}

char delimiter_of(std::string_view text) {
  const std::string_view header = text.substr(0, text.find('\n'));
  char best = ',';
  for (const char candidate : {';', '\t'}) {
    if (std::count(header.begin(), header.end(), candidate) > std::count(header.begin(), header.end(), best))
      best = candidate;
  }
  return best;
}

}  // namespace kiln::mappings
