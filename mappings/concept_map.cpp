#include "mappings/concept_map.h"

#include <set>

#include "engine/base/json.h"
#include "engine/base/limits.h"

namespace kiln::mappings {

namespace {

constexpr base::JsonLimits kLimits{base::limits::kTableBytesMax, base::limits::kJsonDepthMax};

/// The smaller the better; nothing for a target that says there is none.
std::optional<int> rank_of(std::string_view equivalence) {
  if (equivalence == "unmatched" || equivalence == "disjoint") return std::nullopt;
  if (equivalence == "equal" || equivalence == "equivalent" || equivalence.empty()) return 0;
  if (equivalence == "wider" || equivalence == "subsumes") return 1;
  if (equivalence == "narrower" || equivalence == "specializes") return 2;
  return 3;
}

void add_element(const base::JsonView& element, std::string_view system, std::set<std::string>& seen,
                 ConceptRows& out) {
  const std::string code(element["code"].text());
  if (code.empty() || !seen.insert(code).second) return;
  std::optional<int> best;
  ConceptRows::Row row{code, {}, {}, std::string(system)};
  for (const base::JsonView target : element["target"]) {
    const auto rank = rank_of(target["equivalence"].text());
    if (!rank || target["code"].text().empty() || (best && *best <= *rank)) continue;
    best = rank;
    row.target = target["code"].text();
    row.display = target["display"].text();
  }
  if (best) out.rows.push_back(std::move(row));
}

void read_unmapped(const base::JsonView& group, ConceptRows& out) {
  const base::JsonView unmapped = group["unmapped"];
  const std::string_view mode = unmapped["mode"].text();
  if (mode.empty() || out.unmapped != ConceptRows::Unmapped::none) return;
  if (mode == "provided") out.unmapped = ConceptRows::Unmapped::keep;
  if (mode == "fixed") {
    out.unmapped = ConceptRows::Unmapped::fixed;
    out.unmapped_code = unmapped["code"].text();
    out.unmapped_display = unmapped["display"].text();
    out.unmapped_system = group["target"].text();
  }
  if (mode == "other-map") {
    out.unmapped = ConceptRows::Unmapped::other_map;
    out.other_map = unmapped["url"].text();
  }
}

}  // namespace

base::Result<ConceptRows> read_concept_map(std::string_view json) {
  TRY(const base::JsonDocument document, base::parse_json(json, kLimits));
  const base::JsonView root = document.root();
  if (root["resourceType"].text() != "ConceptMap")
    return base::fail(base::ErrorCode::bad_value, "this is no ConceptMap");
  ConceptRows out;
  out.url = root["url"].text();
  std::set<std::string> seen;
  for (const base::JsonView group : root["group"]) {
    for (const base::JsonView element : group["element"]) add_element(element, group["target"].text(), seen, out);
    read_unmapped(group, out);
  }
  if (out.rows.empty() && out.unmapped == ConceptRows::Unmapped::none)
    return base::fail(base::ErrorCode::bad_value, "the ConceptMap maps no code");
  return out;
}

std::string concept_map_url(std::string_view json) {
  if (json.find("\"ConceptMap\"") == std::string_view::npos) return {};
  const auto document = base::parse_json(json, kLimits);
  if (!document || document->root()["resourceType"].text() != "ConceptMap") return {};
  return std::string(document->root()["url"].text());
}

}  // namespace kiln::mappings
