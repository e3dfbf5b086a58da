#include "mappings/importer/status.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "mappings/importer/code_tables.h"
#include "mappings/package.h"

namespace kiln::mappings {
namespace {

/// A declaration of the library: "fragment PID_Patient", "datatype CX -> Identifier", "map adt_a01".
struct Piece {
  std::string name;
  std::string_view text;
  std::string place;  ///< file without folder
};

struct Decision {
  std::string status, where, reason;
};

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      out.emplace_back();
    else if (c != '\r')
      out.back() += c;
  }
  return out;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out;
}

std::string field_of_csv(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '"', '\'');
  return out.find_first_of(",;") == std::string::npos ? out : "\"" + out + "\"";
}

/// Top-level declarations: from their line to the brace that closes them in the first column.
std::vector<Piece> pieces_of(std::span<const base::EmbeddedFile> library) {
  std::vector<Piece> out;
  for (const base::EmbeddedFile& file : library) {
    if (!file.path.starts_with("std/v2fhir/") || !file.path.ends_with(".hmap")) continue;
    const std::string place(file.path.substr(file.path.find('/', 4) + 1));
    for (const char* const word : {"fragment ", "datatype ", "map "}) {
      const std::string begin = std::string("\n") + word;
      for (std::size_t at = file.text.find(begin); at != std::string_view::npos;
           at = file.text.find(begin, at + 1)) {
        const std::size_t end = file.text.find("\n}", at);
        const std::string_view text =
            file.text.substr(at + 1, end == std::string_view::npos ? end : end - at);
        const bool datatype = word[0] == 'd';
        std::string name(text.substr(0, text.find_first_of(datatype ? "{" : "({", 5)));
        if (name.ends_with(' ')) name.pop_back();
        if (const std::size_t variant = name.find('@'); datatype && variant != std::string::npos)
          name.erase(variant, name.find(' ', variant) - variant);
        out.push_back({std::move(name), text, place});
      }
    }
  }
  return out;
}

/// The text holds the token, not as the beginning of a longer one.
bool holds(std::string_view text, std::string_view token) {
  for (std::size_t at = text.find(token); at != std::string_view::npos; at = text.find(token, at + 1)) {
    const char next = at + token.size() < text.size() ? text[at + token.size()] : ' ';
    const bool goes_on =
        (next >= '0' && next <= '9') || (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
    if (!goes_on) return true;
  }
  return false;
}

/// "identifier[2].type.coding.code" -> "identifier"; choices by their base name as far as that can be told.
std::string element_of(std::string_view target) {
  std::string out;
  for (const char c : target) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter) break;
    out += c;
  }
  for (const char* const choice :
       {"value", "effective", "onset", "occurrence", "performed", "deceased", "multipleBirth"})
    if (out.starts_with(choice)) return choice;
  return out;
}

class Status {
 public:
  Status(std::span<const base::EmbeddedFile> library, std::string_view decisions)
      : pieces_(pieces_of(library)) {
    for (const std::string_view line : lines_of(decisions)) {
      const auto cells = cells_of(line);
      if (cells.size() >= 6)
        decisions_[cells[0] + "|" + cells[1] + "|" + cells[2]] = {cells[3], cells[4], cells[5]};
    }
  }

  std::string text(std::span<const GuideSheet> sheets) {
    out_ = "kind,map,row,source,target,status,where,reason\n";
    for (const GuideSheet& sheet : sheets) {
      for (const GuideCode& code : sheet.codes) write_code(sheet, code);
      for (const GuideRow& row : sheet.rows) write_row(sheet, row);
    }
    return out_;
  }

 private:
  void write(const GuideSheet& sheet, int row, std::string_view source, std::string_view target,
             const Decision& decision) {
    out_ += sheet.kind + "," + field_of_csv(sheet.name) + "," + std::to_string(row);
    for (const std::string_view part : {source, target, std::string_view(decision.status),
                                        std::string_view(decision.where), std::string_view(decision.reason)})
      out_ += "," + field_of_csv(part);
    out_ += '\n';
  }

  void write_code(const GuideSheet& sheet, const GuideCode& code) {
    Decision found{"generated", "gen/tables.hmap " + table_name(sheet.name), ""};
    if (code.to.empty())
      found = {"no-target", "", ""};
    else if (code.from.empty())
      found = {"no-target", "", "no v2 code"};
    else if (!is_rule(sheet, code))
      found = {"deferred", "", "a row before it has the same v2 code"};
    write(sheet, code.row, code.from, code.to, found);
  }

  void write_row(const GuideSheet& sheet, const GuideRow& row) {
    write(sheet, row.row, row.source, row.target,
          row.target.empty() ? Decision{"no-target", "", ""} : decide(sheet, row));
  }

  Decision decide(const GuideSheet& sheet, const GuideRow& row) const {
    const std::string key = sheet.kind + "|" + sheet.name + "|";
    const auto one = decisions_.find(key + std::to_string(row.row)), all = decisions_.find(key + "*");
    if (one != decisions_.end() && one->second.status != "overlaid") return one->second;
    if (all != decisions_.end() && all->second.status != "overlaid") return all->second;
    const bool redirected = all != decisions_.end();
    std::vector<std::string> names;
    if (redirected && all->second.where == "language") return {"overlaid", "language", all->second.reason};
    if (redirected) {
      for (const std::string_view name : lines_of(replaced(all->second.where, '+', '\n')))
        names.emplace_back(name);
    } else {
      names = usual(sheet, row);
    }
    return found_in(names, sheet, row);
  }

  static const std::string& replaced(std::string_view text, char from, char to) {
    thread_local std::string out;
    out.assign(text);
    std::replace(out.begin(), out.end(), from, to);
    return out;
  }

  /// Where the library keeps a sheet when nothing else is said.
  static std::vector<std::string> usual(const GuideSheet& sheet, const GuideRow& row) {
    if (sheet.kind == "segments") return {"fragment " + table_name(sheet.name)};
    if (sheet.kind == "messages") {
      std::string map = "map ";
      for (const char c : sheet.name) map += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      return {std::move(map)};
    }
    const std::size_t open = sheet.name.find('['), dash = sheet.name.find_first_of("-]", open);
    if (open == std::string::npos) return {};
    static_cast<void>(row);
    return {"datatype " + sheet.name.substr(0, open) + " -> " + sheet.name.substr(open + 1, dash - open - 1)};
  }

  Decision found_in(const std::vector<std::string>& names, const GuideSheet& sheet,
                    const GuideRow& row) const {
    bool known = false;
    for (const Piece& piece : pieces_) {
      if (std::find(names.begin(), names.end(), piece.name) == names.end()) continue;
      known = true;
      if (reads(piece, sheet, row)) return {"overlaid", piece.place + " " + piece.name, ""};
    }
    return {"deferred", "", known ? "no rule reads it" : "no declaration for this sheet"};
  }

  bool reads(const Piece& piece, const GuideSheet& sheet, const GuideRow& row) const {
    if (sheet.kind == "messages") {
      if (row.map.empty()) return false;
      const std::string fragment = table_name(row.map), type = element_of(row.target);
      return holds(piece.text, "include " + fragment) || uses_type(piece, sheet, row, type);
    }
    const std::size_t number = row.source.find_first_of("-.");
    if (number == std::string::npos) return holds(piece.text, element_of(row.target));
    if (sheet.kind == "segments") return holds(piece.text, row.source);
    const std::string component = "." + row.source.substr(number + 1);
    return holds(piece.text, component);
  }

  /// The sheet of this row lies elsewhere (decisions.csv): then the map makes such a resource and reads the
  /// segment.
  bool uses_type(const Piece& piece, const GuideSheet& sheet, const GuideRow& row,
                 std::string_view type) const {
    static_cast<void>(sheet);
    const std::size_t dot = row.source.rfind('.');
    const std::string segment = dot == std::string::npos ? row.source : row.source.substr(dot + 1);
    const auto moved = decisions_.find("segments|" + row.map + "|*");
    if (moved == decisions_.end() || moved->second.status != "overlaid") return false;
    for (const std::string_view name : lines_of(replaced(moved->second.where, '+', '\n'))) {
      if (name == piece.name)
        return holds(piece.text, std::string(": ") + std::string(type)) ||
               piece.text.find(segment + "-") != std::string_view::npos;
      if (name.starts_with("fragment ") && holds(piece.text, "include " + std::string(name.substr(9))))
        return true;
    }
    return false;
  }

  std::vector<Piece> pieces_;
  std::map<std::string, Decision> decisions_;
  std::string out_;
};

}  // namespace

std::string status_csv(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
                       std::string_view decisions) {
  return Status(library, decisions).text(sheets);
}

std::string status_sum(std::string_view status) {
  std::map<std::string, int> counts;
  bool heading = true;
  for (const std::string_view line : lines_of(status)) {
    const auto cells = cells_of(line);
    if (!heading && cells.size() >= 6) ++counts[cells[5]];
    heading = false;
  }
  const int done = counts["generated"] + counts["overlaid"];
  const int open = counts["deferred"], rejected = counts["rejected-as-defect"];
  return "implements " + std::to_string(done) + " of " + std::to_string(done + open + rejected) +
         " rows of the guide: " + std::to_string(counts["generated"]) + " generated, " +
         std::to_string(counts["overlaid"]) + " by hand; " + std::to_string(open) + " deferred, " +
         std::to_string(rejected) + " rejected as defects";
}

std::string_view shipped_status() {
  for (const base::EmbeddedFile& file : library_files())
    if (file.path == "std/v2fhir/STATUS.csv") return file.text;
  return {};
}

}  // namespace kiln::mappings
