#include "mappings/importer/guide.h"

#include <algorithm>
#include <tuple>

#include "engine/base/limits.h"
#include "engine/base/text.h"

namespace kiln::mappings {
namespace {

using Record = std::vector<std::string>;

/// RFC 4180: a quoted cell may hold commas, doubled quotes and line breaks.
std::vector<Record> records_of(std::string_view text) {
  std::vector<Record> out;
  Record record;
  std::string cell;
  bool quoted = false;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        cell += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        cell += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      record.push_back(std::move(cell));
      cell.clear();
    } else if (c == '\n') {
      record.push_back(std::move(cell));
      cell.clear();
      out.push_back(std::move(record));
      record.clear();
    } else if (c != '\r') {
      cell += c;
    }
  }
  if (!cell.empty() || !record.empty()) {
    record.push_back(std::move(cell));
    out.push_back(std::move(record));
  }
  return out;
}

/// The cell with runs of white space as one blank.
std::string cell(const Record& record, std::size_t at) {
  std::string out;
  if (at >= record.size()) return out;
  for (const char c : record[at]) {
    const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (!blank)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

/// "HL7 Segment - FHIR R4_ PID[Patient] - PID.csv" -> "PID[Patient]".
std::string name_of_sheet(std::string_view file) {
  const std::size_t begin = file.find("_ ");
  if (begin == std::string_view::npos) return {};
  std::string_view name = file.substr(begin + 2);
  const std::size_t end = name.rfind(" - ");
  return std::string(end == std::string_view::npos ? std::string_view() : name.substr(0, end));
}

bool is_url(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://") || text.starts_with("urn:");
}

void read_codes(const std::vector<Record>& records, GuideSheet& sheet) {
  for (std::size_t i = 2; i < records.size(); ++i) {
    GuideCode code{static_cast<int>(i) + 1, cell(records[i], 0), cell(records[i], 6), cell(records[i], 8),
                   cell(records[i], 9)};
    if (code.from.empty() && code.to.empty() && cell(records[i], 1).empty()) continue;
    // Some sheets have the system in the column of the display (erratum).
    if (code.system.empty() && is_url(code.display)) std::swap(code.system, code.display);
    sheet.codes.push_back(std::move(code));
  }
}

void read_rows(const std::vector<Record>& records, GuideSheet& sheet) {
  const bool message = sheet.kind == "messages";
  for (std::size_t i = 2; i < records.size(); ++i) {
    GuideRow row{static_cast<int>(i) + 1,
                 cell(records[i], 1),
                 cell(records[i], 9),
                 cell(records[i], message ? 10 : 14),
                 cell(records[i], 6),
                 cell(records[i], 8),
                 message ? std::string() : cell(records[i], 15),
                 message ? std::string() : cell(records[i], 16),
                 message ? std::string() : cell(records[i], 3),
                 message ? cell(records[i], 11) : std::string()};
    if (row.source.empty() && row.target.empty() && cell(records[i], 2).empty()) continue;
    sheet.rows.push_back(std::move(row));
  }
}

}  // namespace

base::Result<std::vector<GuideSheet>> read_guide(base::Env& env, const std::string& folder) {
  std::vector<GuideSheet> out;
  for (const char* kind : {"codesystems", "datatypes", "messages", "segments"}) {
    const std::string below = base::join_path(folder, kind);
    TRY(auto entries, env.list(below));
    for (const base::FileInfo& entry : entries) {
      if (!entry.is_regular || !entry.name.ends_with(".csv")) continue;
      GuideSheet sheet{kind, name_of_sheet(entry.name), {}, {}};
      if (sheet.name.empty()) continue;
      TRY(const std::string text,
          env.read_file(base::join_path(below, entry.name), base::limits::kTableBytesMax));
      const auto records = records_of(text);
      if (sheet.kind == "codesystems")
        read_codes(records, sheet);
      else
        read_rows(records, sheet);
      out.push_back(std::move(sheet));
    }
  }
  std::sort(out.begin(), out.end(), [](const GuideSheet& a, const GuideSheet& b) {
    return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
  });
  return out;
}

}  // namespace kiln::mappings
