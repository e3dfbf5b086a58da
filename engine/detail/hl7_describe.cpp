#include "engine/detail/hl7_describe.h"

#include <algorithm>

#include "engine/base/text.h"
#include "hl7/structure.h"

namespace kiln::engine::detail {
namespace {

using base::Result;
using hl7::Dictionary;
using hl7::FieldDef;

std::string text_of(std::string_view text) {
  return std::string(text);
}

std::string usage_words(const FieldDef& field) {
  const char* words = "";
  switch (field.usage) {
    case 'R':
      words = "required";
      break;
    case 'E':
      words = "required, may be empty";
      break;
    case 'O':
      words = "optional";
      break;
    case 'C':
      words = "conditional";
      break;
    case 'B':
      words = "kept for backward compatibility";
      break;
    case 'W':
      words = "withdrawn";
      break;
    case 'X':
      words = "not used";
      break;
    default:
      return "not stated";
  }
  return text_of(field.usage_text.empty() ? std::string_view(&field.usage, 1) : field.usage_text) + "  " +
         words;
}

std::string cardinality(const FieldDef& field) {
  const std::string least = field.usage == 'R' ? "1" : "0";
  return least + ".." + (field.repetition_max == 0 ? "*" : std::to_string(field.repetition_max));
}

std::string length(const FieldDef& field) {
  std::string out = field.max_length == 0 ? "" : std::to_string(field.max_length);
  if (field.conformance_length != 0) {
    if (!out.empty()) out += ", ";
    out += "conformance " + std::to_string(field.conformance_length);
    if (field.truncation != '\0') out += field.truncation;
  }
  return out;
}

const char* kind_of(const hl7::TableDef& table) {
  return table.kind == 'h' ? "HL7-defined" : table.kind == 'u' ? "user-defined" : "terminology.hl7.org";
}

DescribeSection parts_section(const char* name, const std::string& prefix,
                              const hl7::RecordList<FieldDef>& parts) {
  DescribeSection section{name, {"path", "name", "type", "usage", "cardinality", "length", "table"}, {}};
  for (const FieldDef part : parts)
    section.rows.push_back(
        {prefix + std::to_string(part.position), text_of(part.name), text_of(part.datatype),
         text_of(part.usage_text.empty() ? std::string_view(&part.usage, 1) : part.usage_text),
         cardinality(part), length(part), text_of(part.table)});
  return section;
}

DescribeSection codes_section(const hl7::TableDef& table) {
  static constexpr const char* kStatus[] = {"", "added", "backward", "deprecated", "retired"};
  DescribeSection section{"codes", {"code", "meaning", "status"}, {}};
  for (const hl7::CodeDef code : table.codes)
    section.rows.push_back(
        {text_of(code.code), text_of(code.display), kStatus[static_cast<std::size_t>(code.status)]});
  return section;
}

/// Facts, components and codes of a field or component.
void add_part(DescribePage& page, const Dictionary& dictionary, const FieldDef& part) {
  const auto type = dictionary.datatype(part.datatype);
  page.facts.emplace_back("type", text_of(part.datatype) + (type ? "  " + text_of(type->title) : ""));
  page.facts.emplace_back("usage", usage_words(part));
  if (page.kind == "field") page.facts.emplace_back("cardinality", cardinality(part));
  if (const std::string text = length(part); !text.empty()) page.facts.emplace_back("length", text);
  const auto table = part.table.empty() ? std::nullopt : dictionary.table(part.table);
  if (!part.table.empty())
    page.facts.emplace_back(
        "table",
        text_of(part.table) + (table ? "  " + text_of(table->title) + " (" + kind_of(*table) + ")" : ""));
  if (type && !type->primitive())
    page.sections.push_back(parts_section("components", page.id + ".", type->components));
  if (table) page.sections.push_back(codes_section(*table));
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

tl::unexpected<base::Error> unknown(const std::string& what, hl7::Version version) {
  const std::string in = " in version " + text_of(hl7::version_text(version));
  for (const hl7::Version other : hl7::kVersions) {
    const Dictionary dictionary(other);
    if (other == version) continue;
    if (dictionary.segment(what) || dictionary.datatype(what) || dictionary.structure(what) ||
        dictionary.table(what))
      return base::fail(base::ErrorCode::bad_value, "there is no " + what + in, {},
                        "version " + text_of(hl7::version_text(other)) + " has it: --version " +
                            text_of(hl7::version_text(other)));
  }
  std::string best;
  std::size_t least = 3;
  const auto consider = [&](std::string_view id) {
    const std::size_t distance = edit_distance(what, id);
    if (distance < least) least = distance, best = id;
  };
  const Dictionary dictionary(version);
  for (const auto segment : dictionary.segments()) consider(segment.id);
  for (const auto type : dictionary.datatypes()) consider(type.id);
  for (const auto structure : dictionary.structures()) consider(structure.id);
  return base::fail(base::ErrorCode::bad_value, "there is no " + what + in, {},
                    best.empty() ? "kiln hl7 describe --list segments (datatypes, structures, tables, events)"
                                 : "did you mean " + best + "?");
}

/// Numbers of "3.4.2"; empty when it is no list of numbers from 1.
std::vector<std::uint32_t> numbers(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (const std::string_view part : base::split(text, '.')) {
    std::uint32_t number = 0;
    for (const char c : part) {
      if (c < '0' || c > '9' || number > 10'000) return {};
      number = number * 10 + static_cast<std::uint32_t>(c - '0');
    }
    if (number == 0) return {};
    out.push_back(number);
  }
  return out;
}

/// Down from a part through its components.
Result<DescribePage> describe_deeper(DescribePage page, const Dictionary& dictionary, FieldDef part,
                                     std::span<const std::uint32_t> steps) {
  for (const std::uint32_t step : steps) {
    const auto type = dictionary.datatype(part.datatype);
    const auto next = type ? type->component(step) : std::nullopt;
    if (!next)
      return base::fail(
          base::ErrorCode::bad_value,
          page.id + " is " + text_of(part.datatype) + " and has " +
              (type && !type->primitive() ? "only " + std::to_string(type->components.size()) + " components"
                                          : "no components"));
    part = *next;
    page.kind = "component";
    page.id += "." + std::to_string(step);
    page.title += " / " + text_of(part.name);
  }
  add_part(page, dictionary, part);
  return page;
}

Result<DescribePage> describe_field(const std::string& segment_id, std::string_view rest,
                                    hl7::Version version) {
  const Dictionary dictionary(version);
  const auto steps = numbers(rest);
  if (steps.empty())
    return base::fail(base::ErrorCode::bad_value, "a path is SEG-F, SEG-F.C or SEG-F.C.S", {},
                      "for example PID-3.4");
  const auto segment = dictionary.segment(segment_id);
  if (!segment) return unknown(segment_id, version);
  const auto field = segment->field(steps[0]);
  if (!field) {
    const auto first = hl7::first_version_with_field(segment_id, steps[0]);
    return base::fail(base::ErrorCode::bad_value,
                      segment_id + " has " + std::to_string(segment->fields.size()) + " fields in version " +
                          text_of(hl7::version_text(version)),
                      {},
                      first ? "version " + text_of(hl7::version_text(*first)) + " has it" : std::string());
  }
  DescribePage page{"field", segment_id + "-" + std::to_string(steps[0]), text_of(field->name), version, {},
                    {}};
  page.facts.emplace_back("segment", segment_id + "  " + text_of(segment->title));
  if (const auto first = hl7::first_version_with_field(segment_id, steps[0]))
    page.facts.emplace_back("since", text_of(hl7::version_text(*first)));
  return describe_deeper(std::move(page), dictionary, *field, std::span(steps).subspan(1));
}

Result<DescribePage> describe_type_part(const std::string& type_id, std::string_view rest,
                                        hl7::Version version) {
  const Dictionary dictionary(version);
  const auto steps = numbers(rest);
  const auto type = dictionary.datatype(type_id);
  if (!type) return unknown(type_id, version);
  if (steps.empty())
    return base::fail(base::ErrorCode::bad_value, "a part of a datatype is TYPE.C", {}, "for example CX.4");
  FieldDef whole{};
  whole.datatype = type->id;
  return describe_deeper({"component", type_id, text_of(type->title), version, {}, {}}, dictionary, whole,
                         steps);
}

DescribePage table_page(const hl7::TableDef& table, hl7::Version version) {
  DescribePage page{"table", text_of(table.id), text_of(table.title), version, {}, {}};
  page.facts.emplace_back("kind", kind_of(table));
  page.sections.push_back(codes_section(table));
  return page;
}

/// The nodes of a structure, indented, with their cardinality.
DescribePage structure_page(const hl7::Structure& structure, hl7::Version version) {
  DescribePage page{"structure", text_of(structure.variant()), "", version, {}, {}};
  const Dictionary dictionary(version);
  std::string events;
  for (const auto event : dictionary.events())
    if (event.structure == structure.variant()) events += (events.empty() ? "" : " ") + text_of(event.event);
  if (!events.empty()) page.facts.emplace_back("events", events);
  DescribeSection section{"nodes", {"node", "cardinality", "name"}, {}};
  for (const hl7::StructureNode& node : structure.nodes()) {
    std::size_t depth = 0;
    for (hl7::NodeIndex up = node.parent; up != hl7::kNoNode; up = structure.nodes()[up].parent) ++depth;
    const auto segment = dictionary.segment(node.name);
    const std::string shown = node.kind == hl7::NodeKind::choice ? "(one of)" : text_of(node.name);
    section.rows.push_back({std::string(2 * depth, ' ') + shown,
                            std::string(node.required ? "1" : "0") + ".." + (node.repeats ? "*" : "1"),
                            segment && node.kind == hl7::NodeKind::segment ? text_of(segment->title) : ""});
  }
  page.sections.push_back(std::move(section));
  return page;
}

}  // namespace

Result<DescribePage> describe(std::string_view given, hl7::Version version) {
  std::string what = base::upper_ascii(base::trim(given));
  const Dictionary dictionary(version);
  for (const char* prefix : {"TABLE ", "HL7"})
    if (what.starts_with(prefix) && what.size() > std::string_view(prefix).size())
      what.erase(0, std::string_view(prefix).size());
  if (what.find_first_not_of("0123456789") == what.npos && !what.empty()) {
    if (what.size() < 4) what.insert(0, 4 - what.size(), '0');
    const auto table = dictionary.table(what);
    if (!table) return unknown(what, version);
    return table_page(*table, version);
  }
  if (const auto caret = what.find_first_of("^ "); caret != what.npos) {
    const std::string code = what.substr(0, caret),
                      trigger = what.substr(caret + 1, what.find('^', caret + 1) - caret - 1);
    const hl7::Structure* const structure = hl7::Structure::find_event(version, code, trigger);
    if (structure == nullptr) return unknown(code + "_" + trigger, version);
    DescribePage page = structure_page(*structure, version);
    page.facts.insert(page.facts.begin(), {"event", code + "^" + trigger});
    return page;
  }
  if (const auto dash = what.find('-'); dash != what.npos) {
    if (hl7::Structure::find(version, what) == nullptr)
      return describe_field(what.substr(0, dash), std::string_view(what).substr(dash + 1), version);
  }
  if (const auto dot = what.find('.'); dot != what.npos)
    return describe_type_part(what.substr(0, dot), std::string_view(what).substr(dot + 1), version);
  if (const auto segment = dictionary.segment(what)) {
    DescribePage page{"segment", what, text_of(segment->title), version, {}, {}};
    if (const auto first = hl7::first_version_with_segment(what))
      page.facts.emplace_back("since", text_of(hl7::version_text(*first)));
    page.sections.push_back(parts_section("fields", what + "-", segment->fields));
    return page;
  }
  if (const auto type = dictionary.datatype(what)) {
    DescribePage page{"datatype", what, text_of(type->title), version, {}, {}};
    if (!type->carried_from.empty()) page.facts.emplace_back("defined in", text_of(type->carried_from));
    if (type->primitive()) page.facts.emplace_back("form", "primitive");
    if (!type->primitive())
      page.sections.push_back(parts_section("components", what + ".", type->components));
    return page;
  }
  if (const hl7::Structure* structure = hl7::Structure::find(version, what))
    return structure_page(*structure, version);
  if (const auto low = what.find('_'); low != what.npos)
    if (const auto* structure =
            hl7::Structure::find_event(version, what.substr(0, low), what.substr(low + 1)))
      return structure_page(*structure, version);
  return unknown(what, version);
}

Result<DescribePage> describe_list(std::string_view what, hl7::Version version) {
  const Dictionary dictionary(version);
  DescribePage page{"list", text_of(what), "", version, {}, {}};
  DescribeSection section{text_of(what), {"id", "name"}, {}};
  if (what == "segments") {
    for (const auto row : dictionary.segments())
      section.rows.push_back({text_of(row.id), text_of(row.title)});
  } else if (what == "datatypes") {
    for (const auto row : dictionary.datatypes())
      section.rows.push_back({text_of(row.id), text_of(row.title)});
  } else if (what == "structures") {
    section.columns = {"id"};
    for (const auto row : dictionary.structures()) section.rows.push_back({text_of(row.variant)});
  } else if (what == "tables") {
    for (const auto row : dictionary.tables()) section.rows.push_back({text_of(row.id), text_of(row.title)});
  } else if (what == "events") {
    section.columns = {"id", "structure"};
    for (const auto row : dictionary.events())
      section.rows.push_back({text_of(row.event), text_of(row.structure)});
  } else if (what == "versions") {
    section.columns = {"id"};
    for (const hl7::Version row : hl7::kVersions) section.rows.push_back({text_of(hl7::version_text(row))});
  } else {
    return base::fail(base::ErrorCode::bad_value,
                      "--list takes segments, datatypes, structures, tables, events or versions");
  }
  page.sections.push_back(std::move(section));
  return page;
}

std::string print_page(const DescribePage& page, const Paint& paint) {
  std::string out = paint(Paint::bold, page.id);
  if (!page.title.empty()) out += "  " + page.title;
  out += "  " +
         paint(Paint::dim, "(" + page.kind + ", HL7 v" + text_of(hl7::version_text(page.version)) + ")") +
         "\n";
  for (const auto& [name, value] : page.facts)
    out += "  " + paint(Paint::cyan, pad(name, 12)) + " " + value + "\n";
  for (const DescribeSection& section : page.sections) {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < section.columns.size(); ++c) {
      std::size_t most = width(section.columns[c]);
      for (const auto& row : section.rows) most = std::max(most, width(row[c]));
      widths.push_back(std::min<std::size_t>(most, 60));
    }
    const auto line = [&](const std::vector<std::string>& cells) {
      std::string text = " ";
      for (std::size_t c = 0; c < cells.size(); ++c)
        text += " " + pad(cells[c], widths[c]) + (c + 1 < cells.size() ? " " : "");
      while (text.ends_with(' ')) text.pop_back();
      return text;
    };
    out += "\n" + paint(Paint::dim, line(section.columns)) + "\n";
    for (const auto& row : section.rows) out += line(row) + "\n";
    if (section.rows.empty()) out += paint(Paint::dim, "  none stated") + "\n";
  }
  return out;
}

std::string print_page_json(const DescribePage& page) {
  base::JsonWriter json;
  json.begin_object().member("kind", page.kind).member("id", page.id).member("title", page.title);
  json.member("version", hl7::version_text(page.version));
  for (const auto& [name, value] : page.facts) {
    // The words behind two spaces explain a code: they are a member of their own.
    const auto gap = value.find("  ");
    json.member(name, value.substr(0, gap));
    if (gap != value.npos) json.member(name + "_text", value.substr(gap + 2));
  }
  for (const DescribeSection& section : page.sections) {
    json.key(section.name).begin_array();
    for (const auto& row : section.rows) {
      json.begin_object();
      for (std::size_t c = 0; c < row.size(); ++c) {
        const std::size_t indent = std::min(row[c].find_first_not_of(' '), row[c].size());
        if (section.name == "nodes" && c == 0)
          json.key("depth").integer(static_cast<std::int64_t>(indent / 2));
        if (!row[c].empty()) json.member(section.columns[c], std::string_view(row[c]).substr(indent));
      }
      json.end_object();
    }
    json.end_array();
  }
  return json.end_object().take();
}

}  // namespace kiln::engine::detail
