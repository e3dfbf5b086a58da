// Writes CSV and fixed-width lines.

#include <algorithm>

#include "hl7/charset.h"
#include "mappings/csv.h"

namespace kiln::mappings {

namespace {

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// The first `count` characters.
std::string_view head(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    if ((static_cast<unsigned char>(text[at]) & 0xC0) != 0x80 && count-- == 0) break;
  }
  return text.substr(0, at);
}

/// Appends UTF-8 text in the format's encoding; true when characters were lost.
bool append_encoded(std::string& out, std::string_view text, CsvEncoding encoding) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii || encoding == CsvEncoding::utf8) {
    out += text;
    return false;
  }
  const hl7::Charset charset =
      encoding == CsvEncoding::latin1 ? hl7::Charset::latin1() : *hl7::Charset::find("windows-1252");
  if (auto exact = hl7::from_utf8(text, charset, hl7::Unencodable::reject)) {
    out += *exact;
    return false;
  }
  if (auto replaced = hl7::from_utf8(text, charset, hl7::Unencodable::replace)) out += *replaced;
  return true;
}

bool needs_quotes(std::string_view cell, const CsvFormat& format) {
  if (cell.empty()) return false;
  if (cell.starts_with("\xEF\xBB\xBF")) return true;  // would be taken for a byte order mark
  if (cell.front() == ' ' || cell.back() == ' ' || cell.front() == '\t' || cell.back() == '\t') return true;
  const char special[] = {format.delimiter, '"', '\r', '\n'};
  return cell.find_first_of(std::string_view(special, sizeof special)) != std::string_view::npos;
}

void append_quoted(std::string& out, std::string_view cell) {
  out += '"';
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::size_t append_fixed(std::string& out, std::span<const std::string_view> cells, const CsvFormat& format) {
  std::size_t lossy = 0, position = 1;
  // Columns may be declared in any order; a line is written from left to right.
  std::vector<std::size_t> order(format.columns.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return format.columns[a].from < format.columns[b].from;
  });
  for (const std::size_t i : order) {
    const CsvColumnFormat& column = format.columns[i];
    if (column.from < position) {  // overlapping columns: the earlier one has been written
      ++lossy;
      continue;
    }
    out.append(column.from - position, ' ');
    const std::size_t width = column.to - column.from + 1;
    std::string cell(i < cells.size() ? cells[i] : std::string_view());
    if (CsvFile::is_null(i < cells.size() ? cells[i] : std::string_view()))
      cell = format.null_text.value_or("");
    std::replace(cell.begin(), cell.end(), '\n', ' ');
    std::replace(cell.begin(), cell.end(), '\r', ' ');
    const std::string_view fitting = head(cell, width);
    const bool lost = append_encoded(out, fitting, format.encoding);
    if (lost || fitting.size() < cell.size()) ++lossy;
    out.append(width - characters(fitting), ' ');
    position = column.to + 1;
  }
  out += "\r\n";
  return lossy;
}

}  // namespace

std::size_t append_csv_row(std::string& out, std::span<const std::string_view> cells,
                           const CsvFormat& format) {
  if (format.fixed_width()) return append_fixed(out, cells, format);
  std::size_t lossy = 0;
  std::string quoted;
  // A line that consists of one empty cell would be passed over as an empty line.
  const bool alone = cells.size() == 1 && cells[0].empty();
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i != 0) out += format.delimiter;
    const bool null = CsvFile::is_null(cells[i]);
    const std::string_view text = null && format.null_text ? std::string_view(*format.null_text) : cells[i];
    const bool quote = needs_quotes(text, format) || alone || (null && format.null_text && text.empty());
    quoted.clear();
    if (quote) append_quoted(quoted, text);
    if (append_encoded(out, quote ? std::string_view(quoted) : text, format.encoding)) ++lossy;
  }
  out += "\r\n";
  return lossy;
}

void append_csv_header(std::string& out, const CsvFormat& format) {
  if (!format.header) return;
  std::vector<std::string_view> cells;
  for (const CsvColumnFormat& column : format.columns) cells.push_back(column.header);
  append_csv_row(out, cells, format);
}

}  // namespace kiln::mappings
