// Value sets as lists of codes.

#include <algorithm>
#include <set>

#include "engine/base/limits.h"
#include "fhir/terminology/code_system_index.h"

namespace kiln::fhir {

/// Gathers the codes of one value set and of those it names.
class Expander {
 public:
  explicit Expander(const Terminology& terminology) : terminology_(terminology) {}

  using Codes = std::vector<CodeEntry>;

  base::Result<Codes> expand(Node value_set, int depth) {
    constexpr int kNestingMax = 20;
    if (depth > kNestingMax) return missing("value sets that name each other too deeply", value_set["url"].text());
    Codes codes;
    const Node compose = value_set["compose"];
    if (!compose) {
      if (!value_set["expansion"]) return missing("the value set lists nothing", value_set["url"].text());
      take_contains(value_set["expansion"], codes);
      return codes;
    }
    for (const Node include : compose) {
      if (include.name() != "include") continue;
      TRY(Codes found, expand_include(include, depth));
      codes.insert(codes.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
      if (codes.size() > base::limits::kExpansionCodesMax)
        return base::fail(base::ErrorCode::limit_exceeded, "the value set has too many codes");
    }
    std::set<std::pair<std::string, std::string>> seen;
    for (const Node exclude : compose) {
      if (exclude.name() != "exclude") continue;
      TRY(const Codes found, expand_include(exclude, depth));
      for (const CodeEntry& entry : found) seen.emplace(entry.system, entry.code);
    }
    // What was excluded is in `seen`, and each code is kept once.
    std::erase_if(codes, [&](const CodeEntry& entry) { return !seen.emplace(entry.system, entry.code).second; });
    return codes;
  }

 private:
  static tl::unexpected<base::Error> missing(const char* text, std::string_view url) {
    return base::fail(base::ErrorCode::fhir_no_expansion, text, std::string(url));
  }

  static void take_contains(Node parent, Codes& codes) {
    for (const Node node : parent) {
      if (node.name() != "contains") continue;
      if (node["code"] && node["abstract"].text() != "true")
        codes.push_back({std::string(node["system"].text()), std::string(node["code"].text()),
                         std::string(node["display"].text()), false});
      take_contains(node, codes);
    }
  }

  base::Result<Codes> expand_include(Node include, int depth) {
    Codes codes;
    bool first = true;
    if (include["system"]) {
      TRY(codes, expand_system(include));
      first = false;
    }
    for (const Node value_set : include) {
      if (value_set.name() != "valueSet") continue;
      const Node other = terminology_.library_.find("ValueSet", value_set.text());
      if (!other) return missing("a value set that it names is not at hand", value_set.text());
      TRY(Codes found, expand(other, depth + 1));
      if (first) {
        codes = std::move(found);
      } else {
        std::set<std::pair<std::string_view, std::string_view>> in;
        for (const CodeEntry& entry : found) in.emplace(entry.system, entry.code);
        std::erase_if(codes, [&](const CodeEntry& entry) {
          return !in.contains({std::string_view(entry.system), std::string_view(entry.code)});
        });
      }
      first = false;
    }
    return codes;
  }

  base::Result<Codes> expand_system(Node include) {
    const std::string_view url = include["system"].text();
    const detail::CodeSystemIndex* index = terminology_.system(url);
    Codes codes;
    if (include["concept"]) {
      for (const Node concept_ : include) {
        if (concept_.name() != "concept") continue;
        std::string_view display = concept_["display"].text();
        if (display.empty()) display = terminology_.display_of(url, concept_["code"].text());
        codes.push_back({std::string(url), std::string(concept_["code"].text()), std::string(display), false});
      }
      return codes;
    }
    if (detail::has_syntax(url)) return missing("its codes are a syntax, not a list", url);
    if (!index) return missing("a code system that it needs is not at hand", url);
    if (!index->is_complete) return missing("a code system that it needs is at hand in part only", url);
    for (const detail::CodeSystemConcept& concept_ : index->concepts) {
      const Membership in =
          include["filter"] ? terminology_.filters_match(include, url, concept_.code) : Membership::yes;
      if (in == Membership::unknown) return missing("a filter that cannot be checked offline", url);
      if (in == Membership::yes)
        codes.push_back({std::string(url), std::string(concept_.code), std::string(concept_.display),
                         concept_.is_abstract});
    }
    return codes;
  }

  const Terminology& terminology_;
};

namespace {

std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

}  // namespace

base::Result<Expansion> Terminology::expand(std::string_view canonical, const ExpandOptions& options) const {
  const Node value_set = library_.find("ValueSet", canonical);
  if (!value_set)
    return base::fail(base::ErrorCode::fhir_not_found, "the value set is not at hand", std::string(canonical));
  TRY(std::vector<CodeEntry> codes, Expander(*this).expand(value_set, 0));
  if (!options.filter.empty()) {
    const std::string wanted = folded(options.filter);
    std::erase_if(codes, [&](const CodeEntry& entry) {
      return folded(entry.display).find(wanted) == std::string::npos &&
             folded(entry.code).find(wanted) == std::string::npos;
    });
  }
  Expansion result;
  result.total = codes.size();
  const std::size_t begin = std::min(options.offset, codes.size());
  const std::size_t count = options.count == 0 ? codes.size() - begin : std::min(options.count, codes.size() - begin);
  result.codes.assign(std::make_move_iterator(codes.begin() + static_cast<std::ptrdiff_t>(begin)),
                      std::make_move_iterator(codes.begin() + static_cast<std::ptrdiff_t>(begin + count)));
  return result;
}

}  // namespace kiln::fhir
