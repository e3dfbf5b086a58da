#include "mappings/importer/status.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "mappings/importer/code_tables.h"
#include "mappings/importer/decisions.h"
#include "mappings/importer/generated_maps.h"
#include "mappings/importer/library_pieces.h"
#include "mappings/package.h"

namespace kiln::mappings {
namespace {

std::string field_of_csv(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '"', '\'');
  return out.find_first_of(",;") == std::string::npos ? out : "\"" + out + "\"";
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
  Status(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
         std::string_view decisions)
      : pieces_(library_pieces(library)),
        decisions_(decisions),
        generated_(generated_maps(sheets, library, decisions_)) {
    // What a declaration includes of the generated fragments is its own.
    std::map<std::string, std::string_view> fragments;
    for (const auto& [path, text] : generated_.files) {
      const std::string_view view(text);
      for (std::size_t at = view.find("\nfragment "); at != std::string_view::npos;
           at = view.find("\nfragment ", at + 1)) {
        const std::string_view body = view.substr(at, view.find("\n}", at) - at);
        fragments.emplace(body.substr(10, body.find('(') - 10), body);
      }
    }
    constexpr std::string_view kInclude = "include guide.";
    for (LibraryPiece& piece : pieces_) {
      std::string whole(piece.text);
      for (std::size_t at = piece.text.find(kInclude); at != std::string_view::npos;
           at = piece.text.find(kInclude, at + 1)) {
        const std::string_view rest = piece.text.substr(at + kInclude.size());
        const auto found = fragments.find(std::string(rest.substr(0, rest.find_first_of("( \n"))));
        if (found != fragments.end()) whole += found->second;
      }
      texts_.push_back(std::move(whole));
      piece.text = texts_.back();
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
    const std::string key = row_key(sheet, row.row);
    if (const auto made = generated_.places.find(key); made != generated_.places.end())
      return {"generated", made->second, ""};
    const Decision* one = decisions_.row(sheet.kind, sheet.name, row.row);
    const Decision* all = decisions_.sheet(sheet.kind, sheet.name);
    if (one != nullptr && one->status != "overlaid") return *one;
    if (one == nullptr && all != nullptr && all->status != "overlaid") return *all;
    const bool redirected = all != nullptr;
    std::vector<std::string> names;
    if (redirected && all->where == "language") return {"overlaid", "language", all->reason};
    if (redirected) {
      for (const std::string_view name : lines_of(replaced(all->where, '+', '\n'))) names.emplace_back(name);
    } else {
      names = usual(sheet, row);
    }
    Decision found = found_in(names, sheet, row);
    if (found.status == "overlaid" && one != nullptr) found.reason = one->reason;
    const auto reason = generated_.by_hand.find(key);
    if (found.status == "deferred" && reason != generated_.by_hand.end())
      found.reason += ": " + reason->second;
    return found;
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
    for (const LibraryPiece& piece : pieces_) {
      if (std::find(names.begin(), names.end(), piece.name) == names.end()) continue;
      known = true;
      if (reads(piece, sheet, row)) return {"overlaid", piece.place + " " + piece.name, ""};
    }
    return {"deferred", "", known ? "no rule reads it" : "no declaration for this sheet"};
  }

  bool reads(const LibraryPiece& piece, const GuideSheet& sheet, const GuideRow& row) const {
    if (sheet.kind == "messages") {
      if (row.map.empty()) return false;
      const std::string fragment = table_name(row.map), type = element_of(row.target);
      return holds_token(piece.text, "include " + fragment) || uses_type(piece, sheet, row, type);
    }
    const std::size_t number = row.source.find_first_of("-.");
    if (number == std::string::npos) return holds_token(piece.text, element_of(row.target));
    if (sheet.kind == "segments") return holds_token(piece.text, row.source);
    const std::string component = "." + row.source.substr(number + 1);
    return holds_token(piece.text, component);
  }

  /// The sheet of this row lies elsewhere (decisions.csv): then the map makes such a resource and reads the
  /// segment.
  bool uses_type(const LibraryPiece& piece, const GuideSheet& sheet, const GuideRow& row,
                 std::string_view type) const {
    static_cast<void>(sheet);
    const std::size_t dot = row.source.rfind('.');
    const std::string segment = dot == std::string::npos ? row.source : row.source.substr(dot + 1);
    const Decision* moved = decisions_.sheet("segments", row.map);
    if (moved == nullptr || moved->status != "overlaid") return false;
    for (const std::string_view name : lines_of(replaced(moved->where, '+', '\n'))) {
      if (name == piece.name)
        return holds_token(piece.text, std::string(": ") + std::string(type)) ||
               piece.text.find(segment + "-") != std::string_view::npos;
      if (name.starts_with("fragment ") && holds_token(piece.text, "include " + std::string(name.substr(9))))
        return true;
    }
    return false;
  }

  std::vector<LibraryPiece> pieces_;
  Decisions decisions_;
  GeneratedMaps generated_;
  std::deque<std::string> texts_;  ///< what pieces_ show
  std::string out_;
};

}  // namespace

std::string status_csv(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
                       std::string_view decisions) {
  return Status(sheets, library, decisions).text(sheets);
}

std::string status_sum(std::string_view status) {
  std::map<std::string, int> counts;
  bool heading = true;
  for (const std::string_view line : lines_of(status)) {
    const auto cells = csv_cells(line);
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
