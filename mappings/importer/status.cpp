#include "mappings/importer/status.h"

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "mappings/importer/code_tables.h"
#include "mappings/importer/decisions.h"
#include "mappings/importer/generated_maps.h"
#include "mappings/importer/named_rows.h"
#include "mappings/package.h"

namespace kiln::mappings {
namespace {

std::string field_of_csv(std::string_view text) {
  std::string out(text);
  std::replace(out.begin(), out.end(), '"', '\'');
  return out.find_first_of(",;") == std::string::npos ? out : "\"" + out + "\"";
}

class Status {
 public:
  Status(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
         std::string_view decisions)
      : decisions_(decisions), generated_(generated_maps(sheets, library, decisions_)) {
    // What a build has embedded of gen/ may be older than what the guide gives now.
    std::vector<base::EmbeddedFile> files;
    std::deque<std::string> paths;
    for (const auto& [path, text] : generated_.files) {
      paths.push_back("std/v2fhir/" + path);
      files.push_back({paths.back(), text});
    }
    for (const char* const part : {"std/v2fhir/overlay/", "std/v2fhir/beyond/"})
      for (const base::EmbeddedFile& file : library)
        if (file.path.starts_with(part)) files.push_back(file);
    for (const NamedRow& row : named_rows(sheets, files))
      named_.emplace(row.kind + "|" + row.sheet + "|" + std::to_string(row.row), row.file + " " + row.rule);
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
    const auto named = named_.find(key);
    const std::string where = named == named_.end() ? "" : named->second;
    if (generated_.places.count(key) != 0) return {"generated", where, ""};
    const Decision* one = decisions_.row(sheet.kind, sheet.name, row.row);
    if (one != nullptr && one->status != "overlaid") return *one;
    if (!where.empty()) return {"overlaid", where, one == nullptr ? "" : one->reason};
    const Decision* all = decisions_.sheet(sheet.kind, sheet.name);
    if (all != nullptr) return {all->status, all->where, all->reason};
    const auto reason = generated_.by_hand.find(key);
    return {"deferred", "", reason == generated_.by_hand.end() ? "no rule names it" : reason->second};
  }

  Decisions decisions_;
  GeneratedMaps generated_;
  std::map<std::string, std::string> named_;  ///< "kind|map|row" -> file and rule that names it first
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
