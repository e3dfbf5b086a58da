#include "mappings/importer/code_tables.h"

#include <algorithm>
#include <map>

#include "mappings/formatter.h"

namespace kiln::mappings {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// The system most rules of the sheet have; of several the first by name.
std::string main_system(const GuideSheet& sheet) {
  std::map<std::string, int> counts;
  for (const GuideCode& code : sheet.codes)
    if (is_rule(sheet, code)) ++counts[code.system];
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? std::string() : most->first;
}

void write_table(const GuideSheet& sheet, std::string& out) {
  const auto rules = std::count_if(sheet.codes.begin(), sheet.codes.end(),
                                   [&](const GuideCode& code) { return is_rule(sheet, code); });
  if (rules == 0) return;
  const std::string system = main_system(sheet);
  out += "\n// " + sheet.name + ": " + std::to_string(rules) + " of " + std::to_string(sheet.codes.size()) +
         " rows of the guide have both codes; the numbers are those of the sheet.\ntable " +
         table_name(sheet.name);
  if (!system.empty()) out += " system " + quoted(system);
  out += " {\n";
  for (const GuideCode& code : sheet.codes) {
    if (!is_rule(sheet, code)) continue;
    out += "  " + quoted(code.from) + " => " + quoted(code.to);
    if (!code.display.empty()) out += " display " + quoted(code.display);
    if (!code.system.empty() && code.system != system) out += " system " + quoted(code.system);
    out += "  // row " + std::to_string(code.row) + "\n";
  }
  out += "}\n";
}

}  // namespace

std::string table_name(std::string_view sheet) {
  std::string out;
  for (const char c : sheet) {
    const bool word = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (word)
      out += c;
    else if (!out.empty() && out.back() != '_')
      out += '_';
  }
  if (out.ends_with('_')) out.pop_back();
  return out;
}

bool is_rule(const GuideSheet& sheet, const GuideCode& code) {
  if (code.from.empty() || code.to.empty()) return false;
  const auto first = std::find_if(sheet.codes.begin(), sheet.codes.end(), [&](const GuideCode& other) {
    return other.from == code.from && !other.to.empty();
  });
  return first->row == code.row;
}

std::string code_tables(std::span<const GuideSheet> sheets) {
  std::string out =
      "module std.v2fhir.tables\n\n"
      "// Made from the HL7 v2-to-FHIR guide by `kiln import v2-to-fhir`; never edited. Corrections stand in "
      "overlay/.\n";
  for (const GuideSheet& sheet : sheets)
    if (sheet.kind == "codesystems") write_table(sheet, out);
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  const auto formatted = format(sources, sources.add("tables.hmap", out), diagnostics);
  return formatted ? *formatted : out;
}

}  // namespace kiln::mappings
