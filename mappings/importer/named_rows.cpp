#include "mappings/importer/named_rows.h"

#include <algorithm>
#include <map>
#include <set>

#include "engine/base/diagnostic.h"
#include "engine/base/text.h"
#include "mappings/detail/extend.h"
#include "mappings/importer/code_tables.h"
#include "mappings/parser.h"

namespace kiln::mappings {
namespace {

constexpr std::string_view kLibrary = "std/v2fhir/";

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

/// The sheet that a declaration is named after.
class Sheets {
 public:
  explicit Sheets(std::span<const GuideSheet> sheets) {
    for (const GuideSheet& sheet : sheets) {
      if (sheet.kind == "codesystems") continue;
      by_name_[sheet.name] = &sheet;
      if (sheet.kind == "messages") {
        by_declaration_["map " + lower(sheet.name)] = &sheet;
        messages_.push_back(&sheet);
        continue;
      }
      by_declaration_["fragment " + table_name(sheet.name)] = &sheet;
      const std::size_t open = sheet.name.find('[');
      if (sheet.kind == "datatypes" && open != std::string::npos)
        by_declaration_["datatype " + sheet.name.substr(0, open) + " -> " +
                        sheet.name.substr(open + 1, sheet.name.find(']') - open - 1)] = &sheet;
    }
  }
  const GuideSheet* named(const std::string& name) const { return in(by_name_, name); }
  const GuideSheet* of(const std::string& declaration) const {
    if (const GuideSheet* found = in(by_declaration_, declaration)) return found;
    for (const GuideSheet* sheet : messages_)
      if (declaration.starts_with("fragment " + sheet->name + "_")) return sheet;
    return nullptr;
  }

 private:
  using Index = std::map<std::string, const GuideSheet*>;
  static const GuideSheet* in(const Index& index, const std::string& name) {
    const auto at = index.find(name);
    return at == index.end() ? nullptr : at->second;
  }
  Index by_name_, by_declaration_;
  std::vector<const GuideSheet*> messages_;
};

/// Statements with the address that the compiler gives them.
struct Rule {
  base::Span span;
  std::string address;
  bool passes = false;  ///< `for each`, `when`: what stands inside on the same line is meant
};

class Collector {
 public:
  explicit Collector(std::string base) : base_(std::move(base)) {}

  void block(const ast::Block& block, const std::string& handle) {
    for (const ast::Stmt& stmt : block.statements) statement(stmt, handle);
  }
  const std::vector<Rule>& rules() const { return rules_; }

 private:
  void statement(const ast::Stmt& stmt, const std::string& handle) {
    const std::string at = base_ + handle;
    const std::string dot = handle.empty() ? base_ : at + ".";
    const std::string whole = handle.empty() ? base_.substr(0, base_.size() - 1) : at;
    if (const auto* assign = stmt.get_if<ast::Assign>()) {
      const ast::TargetStep& first = assign->target.steps.front();
      const bool late = assign->target.steps.size() > 1 && handles_.count(first.name.text) != 0;
      const std::string path = detail::address_of(assign->target, late ? 1 : 0);
      add(stmt, (late ? base_ + first.name.text + "." : dot) + path +
                    (assign->label ? "@" + assign->label->text : ""));
    } else if (const auto* create = stmt.get_if<ast::Create>()) {
      handles_.insert(create->handle.text);
      add(stmt, base_ + create->handle.text);
      block(create->body, create->handle.text);
    } else if (const auto* include = stmt.get_if<ast::Include>()) {
      add(stmt, whole + " include " + include->fragment.text());
    } else if (const auto* loop = stmt.get_if<ast::ForEach>()) {
      add(stmt, whole, true);
      block(loop->body, handle);
    } else if (const auto* when = stmt.get_if<ast::When>()) {
      add(stmt, whole, true);
      for (const ast::When::Branch& branch : when->branches) block(branch.body, handle);
      if (when->otherwise) block(*when->otherwise, handle);
    } else {
      add(stmt, whole);
    }
  }
  void add(const ast::Stmt& stmt, std::string address, bool passes = false) {
    rules_.push_back({stmt.span, std::move(address), passes});
  }

  std::string base_;
  std::set<std::string> handles_;
  std::vector<Rule> rules_;  ///< in source order, the outer before the inner
};

/// The rule that the comment at `comment` stands behind: the first that begins on its line, else the innermost
/// that is still open there.
const Rule* rule_at(const std::vector<Rule>& rules, std::size_t line, std::size_t comment) {
  const Rule* open = nullptr;
  const Rule* passed = nullptr;
  for (const Rule& rule : rules) {
    if (rule.span.begin >= comment) break;
    if (rule.span.begin >= line) {
      if (!rule.passes) return &rule;
      passed = &rule;
    } else if (rule.span.end > line) {
      open = &rule;
    }
  }
  return passed != nullptr ? passed : open;
}

struct Declared {
  std::string name;  ///< "fragment PID_Patient"
  std::string base;  ///< "std.v2fhir.segments:PID_Patient."
  const ast::Block* body = nullptr;
};

std::optional<Declared> declared(const ast::Decl& decl, const std::string& package) {
  if (const auto* map = decl.get_if<ast::MapDecl>())
    return Declared{"map " + map->name.text, package + ":" + map->name.text + "/", &map->body};
  if (const auto* fragment = decl.get_if<ast::FragmentDecl>())
    return Declared{"fragment " + fragment->name.text, package + ":" + fragment->name.text + ".", &fragment->body};
  if (const auto* datatype = decl.get_if<ast::DatatypeDecl>()) {
    const std::string& from = datatype->source.text;
    const std::string& to = datatype->target.name.text;
    const std::string variant = datatype->variant ? "@" + datatype->variant->text : "";
    return Declared{"datatype " + from + " -> " + to, package + ":" + from + variant + "->" + to + ".", &datatype->body};
  }
  if (const auto* fn = decl.get_if<ast::FnDecl>())
    return Declared{"fn " + fn->name.text, package + ":fn " + fn->name.text + ".", nullptr};
  return std::nullopt;
}

}  // namespace

std::optional<std::vector<RowNote>> row_notes(std::string_view text) {
  if (!text.starts_with("//")) return std::nullopt;
  text = trimmed(text.substr(2));
  if (const std::size_t why = text.find(": "); why != std::string_view::npos) text = text.substr(0, why);
  std::vector<RowNote> out;
  for (const std::string_view part : base::split(text, ';')) {
    RowNote note;
    bool rows = false;
    for (const std::string_view word : base::split(trimmed(part), ' ')) {
      if (!rows && (word == "row" || word == "rows")) {
        rows = true;
      } else if (!rows) {
        if (!note.sheet.empty()) return std::nullopt;
        note.sheet = word;
      } else {
        int number = 0;
        for (const char c : word) {
          if (c < '0' || c > '9' || number > 9999) return std::nullopt;
          number = number * 10 + (c - '0');
        }
        if (number == 0) return std::nullopt;
        note.rows.push_back(number);
      }
    }
    // PID[Patient], ADT_A01: prose is no sheet.
    const bool sheet = note.sheet.empty() || note.sheet.find_first_of("[_") != std::string::npos;
    if (note.rows.empty() || !sheet) return std::nullopt;
    out.push_back(std::move(note));
  }
  return out;
}

std::vector<NamedRow> named_rows(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> files) {
  const Sheets index(sheets);
  std::vector<NamedRow> out;
  for (const base::EmbeddedFile& file : files) {
    if (!file.path.starts_with(kLibrary) || !file.path.ends_with(".hmap")) continue;
    const std::string place(file.path.substr(kLibrary.size()));
    if (place == "gen/tables.hmap") continue;
    base::SourceMap sources;
    base::Diagnostics diagnostics;
    const ast::File tree =
        parse(sources, sources.add(std::string(file.path), std::string(file.text)), diagnostics);
    const std::string package = tree.module ? tree.module->text() : "";
    auto comment = tree.comments.begin();
    for (const ast::Decl& decl : tree.decls) {
      const auto what = declared(decl, package);
      if (!what) continue;
      Collector rules(what->base);
      if (what->body != nullptr) rules.block(*what->body, "");
      const GuideSheet* const own = index.of(what->name);
      // The last line of a declaration may have a comment behind it.
      std::size_t end = file.text.find('\n', decl.span.end);
      if (end == std::string_view::npos) end = file.text.size();
      while (comment != tree.comments.end() && comment->begin < decl.span.begin) ++comment;
      for (; comment != tree.comments.end() && comment->begin < end; ++comment) {
        const auto notes = row_notes(sources.text(*comment));
        if (!notes) continue;
        const std::size_t line = file.text.rfind('\n', comment->begin) + 1;
        const Rule* const rule = rule_at(rules.rules(), line, comment->begin);
        const std::string address =
            rule != nullptr ? rule->address : what->base.substr(0, what->base.size() - 1);
        for (const RowNote& note : *notes) {
          const GuideSheet* const sheet = note.sheet.empty() ? own : index.named(note.sheet);
          for (const int row : note.rows)
            out.push_back({sheet == nullptr ? "" : sheet->kind, sheet == nullptr ? note.sheet : sheet->name, row,
                           place, address});
        }
      }
    }
  }
  return out;
}

}  // namespace kiln::mappings
