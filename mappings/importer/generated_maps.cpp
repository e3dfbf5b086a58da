#include "mappings/importer/generated_maps.h"

#include <algorithm>

#include "mappings/formatter.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/generated_messages.h"
#include "mappings/importer/library_pieces.h"
#include "mappings/importer/translate.h"

namespace kiln::mappings {
namespace {

constexpr std::string_view kNote =
    "// Made from the HL7 v2-to-FHIR guide by `kiln import v2-to-fhir`; never edited. The overlay includes "
    "these\n"
    "// fragments and adds what the rows do not say by themselves; overlay/decisions.csv names what it takes "
    "over.\n";

std::string formatted(const std::string& name, const std::string& text) {
  base::SourceMap sources;
  base::Diagnostics diagnostics;
  const auto out = format(sources, sources.add(name, text), diagnostics);
  return out ? *out : text;
}

std::string comment_of(const GuideRule& rule) {
  std::string out = rule.rows.size() == 1 ? "  // row " : "  // rows ";
  for (std::size_t i = 0; i < rule.rows.size(); ++i)
    out += (i == 0 ? "" : " ") + std::to_string(rule.rows[i]);
  return out + "\n";
}

class Maker {
 public:
  Maker(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
        const Decisions& decisions)
      : sheets_(sheets), decisions_(decisions), pieces_(library_pieces(library)) {
    for (const LibraryPiece& piece : pieces_)
      if (piece.name.starts_with("datatype ")) names_.conversions.insert(piece.name.substr(9));
    for (const GuideSheet& sheet : sheets) {
      const bool rule = std::any_of(sheet.codes.begin(), sheet.codes.end(), [&](const GuideCode& code) {
        return is_rule(sheet, code) && !code.system.empty();
      });
      if (rule) names_.tables.insert(table_name(sheet.name));
    }
  }

  GeneratedMaps run() {
    make("datatypes");
    make("segments");
    make_messages();
    return std::move(out_);
  }

 private:
  void make(const std::string& kind) {
    const std::string head =
        "module std.v2fhir.guide." + kind + "\nuse std.v2fhir.datatypes\nuse std.v2fhir.tables\n\n";
    std::string body;
    std::map<std::string, GuideExtension> extensions;
    const std::string file = "gen/" + kind + ".hmap";
    for (const GuideSheet& sheet : sheets_) {
      if (sheet.kind == kind) body += declaration(sheet, file, extensions);
    }
    std::string text = head + std::string(kNote);
    if (!extensions.empty()) text += "\n";
    for (const auto& [name, extension] : extensions)
      text += "extension " + name + " = \"" + extension.url + "\" : " + extension.type + "\n";
    out_.files[file] = formatted(kind + ".hmap", text + body);
  }

  std::string declaration(const GuideSheet& sheet, const std::string& file,
                          std::map<std::string, GuideExtension>& extensions) {
    const std::string name = table_name(sheet.name);
    const bool segment = sheet.kind == "segments";
    const auto left_out = [&](int row) { return decisions_.row(sheet.kind, sheet.name, row) != nullptr; };
    Translation made = translate(sheet, names_, left_out, segment ? "" : "x");
    for (const auto& [row, reason] : made.by_hand) out_.by_hand[row_key(sheet, row)] = reason;
    std::erase_if(made.rules, [&](const GuideRule& rule) { return clashes(made, rule, extensions, sheet); });
    if (made.rules.empty() || !included(name)) return {};
    for (const GuideExtension& extension : made.extensions) extensions.emplace(extension.name, extension);
    const std::string what = "fragment " + name;
    std::string out = "\n// " + sheet.name + "\n" + what + "(" + (segment ? made.source : std::string("x")) +
                      ": hl7 " + made.source + ") -> " + made.target + " {\n" + body_of(made) + "}\n";
    for (const GuideRule& rule : made.rules)
      for (const int row : rule.rows) out_.places[row_key(sheet, row)] = file + " " + what;
    return out;
  }

  bool included(const std::string& name) const {
    return std::any_of(pieces_.begin(), pieces_.end(), [&](const LibraryPiece& piece) {
      return holds_token(piece.text, "include guide." + name);
    });
  }

  void make_messages() {
    const std::string file = "gen/messages.hmap";
    std::string text = "module std.v2fhir.guide.messages\nuse std.v2fhir.segments\n\n" + std::string(kNote);
    for (const GuideSheet& sheet : sheets_) {
      if (sheet.kind != "messages") continue;
      const auto left_out = [&](int row) { return decisions_.row(sheet.kind, sheet.name, row) != nullptr; };
      std::map<int, std::string> by_hand;
      for (const MessageFragment& made : message_fragments(sheet, pieces_, left_out, by_hand)) {
        if (!included(made.name)) continue;
        text += made.text;
        for (const int row : made.rows) out_.places[row_key(sheet, row)] = file + " fragment " + made.name;
      }
      for (const auto& [row, reason] : by_hand) out_.by_hand[row_key(sheet, row)] = reason;
    }
    out_.files[file] = formatted("messages.hmap", text);
  }

  /// One short name for two extensions: the rule is left to people.
  bool clashes(Translation& made, const GuideRule& rule, const std::map<std::string, GuideExtension>& known,
               const GuideSheet& sheet) {
    for (const GuideExtension& extension : made.extensions) {
      if (!rule.path.ends_with("ext(" + extension.name + ")")) continue;
      const auto same = known.find(extension.name);
      if (same == known.end() || (same->second.url == extension.url && same->second.type == extension.type))
        continue;
      for (const int row : rule.rows)
        out_.by_hand[row_key(sheet, row)] = "its extension has another type elsewhere";
      return true;
    }
    return false;
  }

  static std::string body_of(const Translation& made) {
    std::string out;
    std::map<std::string, std::string> later;
    for (const GuideRule& rule : made.rules) {
      std::string& to = rule.since.empty() ? out : later[rule.since];
      to += "  " + rule.text + comment_of(rule);
    }
    for (const auto& [version, rules] : later)
      out += "when version >= " + version + " or laterFields {\n" + rules + "}\n";
    return out;
  }

  std::span<const GuideSheet> sheets_;
  const Decisions& decisions_;
  RuleNames names_;
  std::vector<LibraryPiece> pieces_;  ///< written by hand
  GeneratedMaps out_;
};

}  // namespace

std::string row_key(const GuideSheet& sheet, int row) {
  return sheet.kind + "|" + sheet.name + "|" + std::to_string(row);
}

GeneratedMaps generated_maps(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
                             const Decisions& decisions) {
  return Maker(sheets, library, decisions).run();
}

}  // namespace kiln::mappings
