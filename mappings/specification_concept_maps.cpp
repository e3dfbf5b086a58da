// The code tables of a specification as ConceptMaps (FHIR R4): for terminology servers and for people who
// sign them.

#include <algorithm>
#include <map>

#include "engine/base/json.h"
#include "mappings/specification.h"

namespace kiln::mappings {
namespace {

/// An id of FHIR: letters, digits, `-` and `.`, at most 64.
std::string id_of(std::string_view name) {
  constexpr std::size_t kIdMax = 64;
  std::string out;
  for (const char c : name) {
    const bool allowed =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    out += allowed ? c : '-';
  }
  return out.size() <= kIdMax ? out : out.substr(out.size() - kIdMax);
}

void write_unmapped(base::JsonWriter& json, const SpecificationTable& table) {
  const std::string& rest = table.otherwise;
  const std::size_t quote = rest.find('"');
  const bool refuses = rest.starts_with("reject") || rest.starts_with("quarantine");
  if (rest == "keep") {
    json.key("unmapped").begin_object().member("mode", "provided").end_object();
  } else if (!refuses && quote != std::string::npos) {
    const std::string code = rest.substr(quote + 1, rest.find('"', quote + 1) - quote - 1);
    json.key("unmapped").begin_object().member("mode", "fixed").member("code", code).end_object();
  }
}

void write_map(base::JsonWriter& json, const SpecificationTable& table) {
  json.begin_object().key("resource").begin_object().member("resourceType", "ConceptMap");
  json.member("id", id_of(table.name)).member("name", table.name.substr(table.name.rfind('.') + 1));
  json.member("title", table.name).member("status", "draft");
  if (!table.description.empty()) json.member("description", table.description);
  json.key("group").begin_array();
  // One group a target system, in the order of their first rows.
  std::vector<std::string> systems;
  const auto system_of = [&](const SpecificationTable::Row& row) -> const std::string& {
    return row.system.empty() ? table.system : row.system;
  };
  for (const auto& row : table.rows)
    if (std::find(systems.begin(), systems.end(), system_of(row)) == systems.end())
      systems.push_back(system_of(row));
  for (const std::string& system : systems) {
    json.begin_object();
    if (!system.empty()) json.member("target", system);
    json.key("element").begin_array();
    for (const auto& row : table.rows) {
      if (system_of(row) != system || row.from.empty()) continue;
      json.begin_object().member("code", row.from).key("target").begin_array().begin_object();
      if (!row.to.empty()) json.member("code", row.to);
      if (!row.display.empty()) json.member("display", row.display);
      json.member("equivalence", row.to.empty() ? "unmatched" : "equivalent")
          .end_object()
          .end_array()
          .end_object();
    }
    json.end_array();
    write_unmapped(json, table);
    json.end_object();
  }
  json.end_array().end_object().end_object();
}

}  // namespace

std::string specification_concept_maps(const Specification& specification) {
  base::JsonWriter json;
  json.begin_object()
      .member("resourceType", "Bundle")
      .member("type", "collection")
      .key("entry")
      .begin_array();
  for (const SpecificationTable& table : specification.tables)
    if (!table.rows.empty()) write_map(json, table);
  const std::string compact = json.end_array().end_object().take();
  const auto document = base::parse_json(compact);
  return document ? base::print_json(document->root(), true) : compact;
}

}  // namespace kiln::mappings
