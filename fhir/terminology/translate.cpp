// Concept maps.

#include "fhir/terminology/terminology.h"

namespace kiln::fhir {
namespace {

void translate_unmapped(Node group, std::string_view code, std::string_view url, std::vector<CodeTranslation>& out) {
  const Node unmapped = group["unmapped"];
  const std::string_view mode = unmapped["mode"].text();
  if (mode == "provided") {
    out.push_back({"equal", std::string(group["target"].text()), std::string(code), {}, std::string(url)});
  } else if (mode == "fixed") {
    out.push_back({"inexact", std::string(group["target"].text()), std::string(unmapped["code"].text()),
                   std::string(unmapped["display"].text()), std::string(url)});
  }
}

void translate_group(Node group, std::string_view code, std::string_view url, std::vector<CodeTranslation>& out) {
  bool known = false;
  for (const Node element : group) {
    if (element.name() != "element" || element["code"].text() != code) continue;
    known = true;
    for (const Node target : element) {
      if (target.name() != "target") continue;
      out.push_back({std::string(target["equivalence"].text()), std::string(group["target"].text()),
                     std::string(target["code"].text()), std::string(target["display"].text()), std::string(url)});
    }
  }
  if (!known) translate_unmapped(group, code, url, out);
}

}  // namespace

base::Result<std::vector<CodeTranslation>> Terminology::translate(std::string_view map, std::string_view system_url,
                                                                  std::string_view code,
                                                                  std::string_view target) const {
  std::vector<std::string> urls;
  if (map.empty()) {
    urls = library_.urls("ConceptMap");
  } else {
    urls.emplace_back(map);
  }
  std::vector<CodeTranslation> result;
  for (const std::string& url : urls) {
    const Node found = library_.find("ConceptMap", url);
    if (!found) return base::fail(base::ErrorCode::fhir_not_found, "the concept map is not at hand", url);
    for (const Node group : found) {
      if (group.name() != "group") continue;
      const bool from = system_url.empty() || group["source"].text() == system_url;
      const bool to = target.empty() || group["target"].text() == target;
      if (from && to) translate_group(group, code, url, result);
    }
  }
  return result;
}

}  // namespace kiln::fhir
