// The specification as a page and as CSV.

#include <algorithm>

#include "mappings/specification.h"

namespace kiln::mappings {
namespace {

constexpr std::string_view kStyle = R"(
@page { size: A4 landscape; margin: 12mm; }
:root { --line: #d5dae1; --soft: #f4f6f9; --text: #1c2530; --dim: #5d6b7a; --accent: #0b5cad; }
* { box-sizing: border-box; }
body { font: 13px/1.45 "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: var(--text); margin: 0 auto; padding: 24px 28px; max-width: 1500px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 34px 0 4px; padding-top: 14px; border-top: 2px solid var(--accent); }
h3 { font-size: 14px; margin: 18px 0 6px; }
p { margin: 4px 0; }
.dim { color: var(--dim); }
code { font: 12px/1.4 "SF Mono", Consolas, "DejaVu Sans Mono", monospace; }
.signature { display: block; background: var(--soft); border-left: 3px solid var(--accent); padding: 6px 10px; margin: 8px 0; white-space: pre-wrap; }
ul { margin: 4px 0; padding-left: 20px; }
nav { columns: 2; margin: 14px 0; }
nav a { display: block; color: var(--accent); text-decoration: none; padding: 1px 0; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; margin: 6px 0 12px; }
th { background: var(--soft); text-align: left; font-weight: 600; border-bottom: 2px solid var(--line); }
th, td { padding: 4px 8px; vertical-align: top; overflow-wrap: anywhere; }
td { border-bottom: 1px solid var(--line); }
tr { break-inside: avoid; }
thead { display: table-header-group; }
td.target { font-weight: 600; }
td .dim { font-size: 12px; font-weight: 400; }
.tag { display: inline-block; background: var(--soft); border: 1px solid var(--line); border-radius: 3px; padding: 0 5px; font-size: 11px; color: var(--dim); }
table.codes { width: auto; min-width: 40%; table-layout: auto; }
table.sign { width: 100%; margin-top: 12px; }
table.sign td { height: 44px; border: 1px solid var(--line); }
@media print { body { padding: 0; max-width: none; } nav a { color: inherit; } h2 { break-before: page; } h2.keep { break-before: auto; } }
)";

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\n':
        out += "<br>";
        break;
      default:
        out += c;
    }
  }
}

class Page {
 public:
  explicit Page(std::string_view title) {
    raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>").text(title);
    raw("</title>\n<style>").raw(kStyle).raw("</style>\n</head>\n<body>\n<h1>").text(title).raw("</h1>\n");
  }
  Page& raw(std::string_view html) {
    out_ += html;
    return *this;
  }
  Page& text(std::string_view text) {
    append_escaped(out_, text);
    return *this;
  }
  Page& element(std::string_view open, std::string_view content, std::string_view close) {
    return content.empty() ? *this : raw(open).text(content).raw(close);
  }
  std::string finish() { return raw("</body>\n</html>\n").take(); }

 private:
  std::string take() { return std::move(out_); }
  std::string out_;
};

void contents(Page& page, const Specification& specification) {
  std::size_t rules = 0;
  for (const auto& section : specification.sections)
    for (const auto& part : section.parts) rules += part.rows.size();
  page.raw(
      "<p class=\"dim\">Mapping specification: " + std::to_string(specification.sections.size()) +
      (specification.sections.size() == 1 ? " map, " : " maps, ") + std::to_string(rules) + " rules, " +
      std::to_string(specification.tables.size()) +
      " code tables. Every rule names its source, its condition and what happens to values that do not fit."
      "</p>\n<nav>\n");
  std::size_t number = 0;
  for (const auto& section : specification.sections)
    page.raw("<a href=\"#s" + std::to_string(++number) + "\">").text(section.name).raw("</a>\n");
  if (!specification.tables.empty()) page.raw("<a href=\"#tables\">Code tables</a>\n");
  page.raw("<a href=\"#approval\">Approval</a>\n</nav>\n");
}

void list(Page& page, std::string_view heading, const std::vector<std::string>& items) {
  if (items.empty()) return;
  page.element("<h3>", heading, "</h3>\n").raw("<ul>\n");
  for (const std::string& item : items) page.raw("<li><code>").text(item).raw("</code></li>\n");
  page.raw("</ul>\n");
}

void rule(Page& page, const SpecificationRow& row) {
  page.raw("<tr>\n<td class=\"target\"><code>").text(row.target).raw("</code>");
  page.element(" <span class=\"tag\">@", row.label, "</span>");
  std::string facts = row.type;
  if (!row.cardinality.empty()) facts += (facts.empty() ? "" : " ") + row.cardinality;
  page.element("<br><span class=\"dim\">", facts, "</span>").raw("</td>\n");
  page.element("<td>", row.effect.empty() ? "set" : row.effect, "</td>\n");
  page.raw("<td><code>").text(row.source).raw("</code>");
  page.element("<br><span class=\"dim\">", row.names, "</span>").raw("</td>\n");
  page.raw("<td>").text(row.table).raw("</td>\n<td>").text(row.condition).raw("</td>\n<td>").text(row.policy);
  page.raw("</td>\n<td>")
      .text(row.note)
      .element("<span class=\"dim\">", row.note.empty() ? "" : "\n", "</span>");
  page.element("<span class=\"dim\">", row.place, "</span>").raw("</td>\n</tr>\n");
}

void section(Page& page, const SpecificationSection& one, std::size_t number) {
  page.raw("<h2 id=\"s" + std::to_string(number) + "\"").raw(number == 1 ? " class=\"keep\">" : ">");
  page.text(one.name).raw("</h2>\n").element("<p>", one.description, "</p>\n");
  page.element("<code class=\"signature\">", one.signature, "</code>\n")
      .element("<p class=\"dim\">", one.place, "</p>\n");
  list(page, "Unless a rule says otherwise", one.policies);
  list(page, "Conditions for the message", one.requirements);
  for (const SpecificationPart& part : one.parts) {
    page.element("<h3>", part.title, "</h3>\n").element("<p><code>", part.detail, "</code></p>\n");
    if (part.rows.empty()) continue;
    page.raw(
        "<table>\n<colgroup><col style=\"width:22%\"><col style=\"width:7%\"><col style=\"width:25%\">"
        "<col style=\"width:11%\"><col style=\"width:13%\"><col style=\"width:11%\"><col style=\"width:11%\">"
        "</colgroup>\n<thead><tr><th>Target</th><th>Effect</th><th>Source</th><th>Table</th><th>When</th>"
        "<th>If the value does not fit</th><th>Note, place</th></tr></thead>\n<tbody>\n");
    for (const SpecificationRow& row : part.rows) rule(page, row);
    page.raw("</tbody>\n</table>\n");
  }
}

void tables(Page& page, const Specification& specification) {
  if (specification.tables.empty()) return;
  page.raw("<h2 id=\"tables\">Code tables</h2>\n");
  for (const SpecificationTable& table : specification.tables) {
    page.element("<h3>", table.name, "</h3>\n").raw("<p class=\"dim\">").text(table.system);
    page.element(table.system.empty() ? "" : "<br>", table.source, "").raw("</p>\n");
    if (!table.rows.empty()) {
      page.raw(
          "<table "
          "class=\"codes\">\n<thead><tr><th>From</th><th>To</th><th>Display</th></tr></thead>\n<tbody>\n");
      for (const auto& row : table.rows)
        page.raw("<tr><td><code>")
            .text(row.from)
            .raw("</code></td><td><code>")
            .text(row.to)
            .raw("</code></td><td>")
            .text(row.display)
            .raw("</td></tr>\n");
      if (!table.otherwise.empty())
        page.raw("<tr><td>any other</td><td><code>")
            .text(table.otherwise)
            .raw("</code></td><td></td></tr>\n");
      page.raw("</tbody>\n</table>\n");
    } else {
      page.element("<p>any other: <code>", table.otherwise, "</code></p>\n");
    }
    page.element("<p class=\"dim\">", table.place, "</p>\n");
  }
}

void append_cell(std::string& out, std::string_view cell) {
  if (cell.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += cell;
    return;
  }
  out += '"';
  for (const char c : cell) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_line(std::string& out, std::initializer_list<std::string_view> cells) {
  bool first = true;
  for (const std::string_view cell : cells) {
    if (!std::exchange(first, false)) out += ',';
    append_cell(out, cell);
  }
  out += "\r\n";
}

}  // namespace

std::string specification_html(const Specification& specification, std::string_view title) {
  Page page(title);
  contents(page, specification);
  std::size_t number = 0;
  for (const SpecificationSection& one : specification.sections) section(page, one, ++number);
  tables(page, specification);
  page.raw(
      "<h2 id=\"approval\" class=\"keep\">Approval</h2>\n<table class=\"sign\">\n<thead><tr><th>Role</th>"
      "<th>Name</th><th>Date</th><th>Signature</th></tr></thead>\n<tbody>\n");
  for (const char* role : {"Sending system", "Receiving system", "Integration"})
    page.raw("<tr><td>").text(role).raw("</td><td></td><td></td><td></td></tr>\n");
  return page.raw("</tbody>\n</table>\n").finish();
}

std::string specification_csv(const Specification& specification) {
  std::string out;
  append_line(out, {"map", "part", "target", "type", "cardinality", "effect", "source", "source names",
                    "table", "condition", "policy", "note", "label", "place"});
  for (const SpecificationSection& section : specification.sections)
    for (const SpecificationPart& part : section.parts)
      for (const SpecificationRow& row : part.rows)
        append_line(out,
                    {section.name, part.title, row.target, row.type, row.cardinality, row.effect, row.source,
                     row.names, row.table, row.condition, row.policy, row.note, row.label, row.place});
  return out;
}

}  // namespace kiln::mappings
