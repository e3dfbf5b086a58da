#include <array>
#include <utility>

#include "engine/base/text.h"
#include "fhir/search/extractor.h"

namespace kiln::fhir::detail {
namespace {

using base::trim;

/// A path under construction and the type its end has (nullptr: a resource's id or another primitive without
/// definition).
struct Branch {
  std::vector<Step> steps;
  const TypeDef* type = nullptr;
  const ElementDef* element = nullptr;  ///< of the last member step, for its binding
  bool from_resource = false;
};
using Branches = std::vector<Branch>;

/// Position of `wanted` outside parentheses, brackets and quotes; npos when there is none.
std::size_t find_outside(std::string_view text, std::string_view wanted) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\'') quoted = !quoted;
    if (quoted) continue;
    if (c == '(' || c == '[') ++depth;
    if (depth == 0 && text.substr(i, wanted.size()) == wanted) return i;
    if (c == ')' || c == ']') --depth;
  }
  return std::string_view::npos;
}

std::vector<std::string_view> split_outside(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = find_outside(text, separator);
    parts.push_back(trim(text.substr(0, at)));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

std::optional<std::string_view> quoted(std::string_view text) {
  text = trim(text);
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') return std::nullopt;
  return text.substr(1, text.size() - 2);
}

/// One member by its FHIR name; a choice forks into one branch per type.
Branches go_member(const Branches& from, std::string_view name, StepKind kind = StepKind::member) {
  Branches out;
  for (const Branch& branch : from) {
    const ElementDef* element = branch.type ? branch.type->element(name) : nullptr;
    if (!element) continue;
    const auto add = [&](std::string_view key, const TypeDef* type) {
      Branch next = branch;
      next.steps.push_back({kind, std::string(key), {}});
      next.type = type;
      next.element = element;
      out.push_back(std::move(next));
    };
    if (const TypeDef* inline_content = element->backbone()) {
      add(element->name(), inline_content);
      continue;
    }
    for (const ElementType& type : element->types()) add(element->json_name(type), &type.type());
  }
  return out;
}

/// Keeps the branches that end in that type. "as" on a path that cannot have it leaves nothing: the branch is
/// dead.
Branches keep_type(Branches from, std::string_view type) {
  std::erase_if(from, [&](const Branch& branch) { return !branch.type || branch.type->name() != type; });
  return from;
}

bool add_where(Branches& branches, std::string_view condition) {
  Step step;
  constexpr std::string_view kResolve = "resolve() is ", kHasExtension = "hasExtension(";
  if (condition.starts_with(kHasExtension) && condition.back() == ')') {
    const auto url =
        quoted(condition.substr(kHasExtension.size(), condition.size() - kHasExtension.size() - 1));
    if (!url) return false;
    step = {StepKind::where_extension, {}, std::string(*url)};
  } else if (condition.substr(0, kResolve.size()) == kResolve) {
    step = {StepKind::where_resolve, std::string(trim(condition.substr(kResolve.size()))), {}};
  } else {
    const std::size_t equals = condition.find('=');
    if (equals == std::string_view::npos) return false;
    const std::string_view name = trim(condition.substr(0, equals));
    const auto text = quoted(condition.substr(equals + 1));
    if (!text || name.find_first_of(".(") != std::string_view::npos) return false;
    step = {StepKind::where_equals, std::string(name), std::string(*text)};
  }
  for (Branch& branch : branches) branch.steps.push_back(step);
  return true;
}

bool add_extension(Branches& branches, std::string_view argument) {
  const auto url = quoted(argument);
  if (!url) return false;
  for (Branch& branch : branches) {
    branch.steps.push_back({StepKind::extension, {}, std::string(*url)});
    branch.type = find_type("Extension");
  }
  branches = go_member(branches, "value");
  return true;
}

/// Where paths begin: a resource, or the element of a composite.
struct Root {
  const TypeDef* type;
  const TypeDef* resource;
};

std::optional<Branches> compile_path(std::string_view text, const Root& root);

/// "(x as T)", "(x)", the name of the type or "%resource" at the start of a path; else the first element.
std::optional<Branches> compile_head(std::string_view head, const Root& root) {
  if (head.size() > 2 && head.front() == '(' && head.back() == ')') {
    const std::string_view inner = trim(head.substr(1, head.size() - 2));
    const std::size_t as = find_outside(inner, " as ");
    auto branches = compile_path(inner.substr(0, as), root);
    if (!branches || as == std::string_view::npos) return branches;
    return keep_type(std::move(*branches), trim(inner.substr(as + 4)));
  }
  if (head == "%resource") return Branches{Branch{{}, root.resource, nullptr, true}};
  const bool is_root = head == root.type->name() ||
                       (root.type->is_resource() && (head == "Resource" || head == "DomainResource"));
  if (is_root) return Branches{Branch{{}, root.type, nullptr}};
  if (head.empty() || (head.front() >= 'A' && head.front() <= 'Z')) return Branches{};
  if (head.find_first_of("([%") != std::string_view::npos) return std::nullopt;
  return go_member({Branch{{}, root.type, nullptr}}, head);
}

std::optional<Branches> compile_path(std::string_view text, const Root& root) {
  const auto parts = split_outside(trim(text), ".");
  auto branches = compile_head(parts.front(), root);
  if (!branches) return std::nullopt;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string_view part = parts[i];
    const std::size_t open = part.find('(');
    if (open == std::string_view::npos && part.ends_with("[0]")) {
      branches = go_member(*branches, part.substr(0, part.size() - 3), StepKind::first);
      continue;
    }
    if (part.find('[') != std::string_view::npos) return std::nullopt;
    if (open == std::string_view::npos) {
      branches = go_member(*branches, part);
      continue;
    }
    if (part.back() != ')') return std::nullopt;
    const std::string_view name = part.substr(0, open),
                           argument = trim(part.substr(open + 1, part.size() - open - 2));
    if (name == "as" || name == "ofType") {
      branches = keep_type(std::move(*branches), argument);
    } else if (name == "where") {
      if (!add_where(*branches, argument)) return std::nullopt;
    } else if (name == "extension") {
      if (!add_extension(*branches, argument)) return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return branches;
}

void add_paths(Extractor& extractor, Branches branches, SearchType type) {
  for (Branch& branch : branches) {
    if (!branch.type || branch.steps.empty()) continue;
    const LeafType leaf = branch.type->is_resource() ? LeafType::resource : leaf_of(branch.type->name());
    if (!fits(type, leaf)) continue;
    Path path{std::move(branch.steps), leaf, {}, branch.from_resource};
    if (leaf == LeafType::code && branch.element && branch.element->value_set())
      path.system = branch.element->value_set()->single_system();
    extractor.paths.push_back(std::move(path));
  }
}

}  // namespace

LeafType leaf_of(std::string_view type) {
  static constexpr std::array<std::pair<std::string_view, LeafType>, 41> kLeaves = {{
      {"boolean", LeafType::boolean},
      {"string", LeafType::text},
      {"markdown", LeafType::text},
      {"id", LeafType::text},
      {"code", LeafType::code},
      {"uri", LeafType::uri},
      {"url", LeafType::uri},
      {"oid", LeafType::uri},
      {"uuid", LeafType::uri},
      {"canonical", LeafType::canonical},
      {"date", LeafType::date},
      {"dateTime", LeafType::date},
      {"instant", LeafType::date},
      {"decimal", LeafType::number},
      {"integer", LeafType::number},
      {"positiveInt", LeafType::number},
      {"unsignedInt", LeafType::number},
      {"Coding", LeafType::coding},
      {"CodeableConcept", LeafType::codeable_concept},
      {"Identifier", LeafType::identifier},
      {"ContactPoint", LeafType::contact_point},
      {"HumanName", LeafType::human_name},
      {"Address", LeafType::address},
      {"Period", LeafType::period},
      {"Timing", LeafType::timing},
      {"Reference", LeafType::reference},
      {"Quantity", LeafType::quantity},
      {"SimpleQuantity", LeafType::quantity},
      {"Age", LeafType::quantity},
      {"Duration", LeafType::quantity},
      {"Count", LeafType::quantity},
      {"Distance", LeafType::quantity},
      {"MoneyQuantity", LeafType::quantity},
      {"Money", LeafType::money},
      {"Range", LeafType::range},
      {"base64Binary", LeafType::none},
      {"time", LeafType::none},
      {"Ratio", LeafType::none},
      {"SampledData", LeafType::none},
      {"Attachment", LeafType::none},
      {"Annotation", LeafType::none},
  }};
  for (const auto& [name, leaf] : kLeaves)
    if (name == type) return leaf;
  return LeafType::none;
}

/// Which leaves give rows for a parameter of that type (search.html, the table of each type).
bool fits(SearchType type, LeafType leaf) {
  using L = LeafType;
  switch (type) {
    case SearchType::token:
      return leaf == L::boolean || leaf == L::text || leaf == L::code || leaf == L::uri ||
             leaf == L::coding || leaf == L::codeable_concept || leaf == L::identifier ||
             leaf == L::contact_point || leaf == L::canonical;
    case SearchType::string:
      return leaf == L::text || leaf == L::human_name || leaf == L::address || leaf == L::code;
    case SearchType::date:
      return leaf == L::date || leaf == L::period || leaf == L::timing;
    case SearchType::reference:
      return leaf == L::reference || leaf == L::canonical || leaf == L::uri || leaf == L::resource;
    case SearchType::uri:
      return leaf == L::uri || leaf == L::canonical;
    case SearchType::number:
      return leaf == L::number || leaf == L::range;
    case SearchType::quantity:
      return leaf == L::quantity || leaf == L::money || leaf == L::range;
    default:
      return false;
  }
}

ParameterKind kind_of(SearchType type) {
  switch (type) {
    case SearchType::string:
      return ParameterKind::string;
    case SearchType::date:
      return ParameterKind::date;
    case SearchType::reference:
      return ParameterKind::reference;
    case SearchType::uri:
      return ParameterKind::uri;
    case SearchType::number:
      return ParameterKind::number;
    case SearchType::quantity:
      return ParameterKind::quantity;
    default:
      return ParameterKind::token;
  }
}

namespace {

std::optional<Extractor> compile_from(std::string_view expression, const Root& root, SearchType type) {
  Extractor extractor;
  extractor.kind = kind_of(type);
  constexpr std::string_view kExists = ".exists() and ";
  for (std::string_view part : split_outside(expression, "|")) {
    if (const std::size_t exists = part.find(kExists); exists != std::string_view::npos) {
      const std::string_view path = part.substr(0, exists);
      if (part.substr(exists + kExists.size()) != std::string(path) + " != false") return std::nullopt;
      extractor.exists_and_not_false = true;
      auto branches = compile_path(path, root);
      if (!branches) return std::nullopt;
      for (Branch& branch : *branches)
        extractor.paths.push_back({std::move(branch.steps), LeafType::none, {}});
      continue;
    }
    auto branches = compile_path(part, root);
    if (!branches) return std::nullopt;
    add_paths(extractor, std::move(*branches), type);
  }
  return extractor;
}

}  // namespace

std::optional<Extractor> compile_expression(std::string_view expression, std::string_view resource_type,
                                            SearchType type) {
  const TypeDef* resource = find_resource_type(resource_type);
  if (!resource) return std::nullopt;
  return compile_from(expression, {resource, resource}, type);
}

Component component_of(const SearchParameter& composite, std::size_t position) {
  const std::size_t definition = composite.code() == "relationship" ? 1 - position : position;
  Component component{composite.component(definition).parameter,
                      std::string(composite.component(position).expression)};
  constexpr std::string_view kWrong = "as(DateTime)";
  if (const std::size_t at = component.expression.find(kWrong); at != std::string::npos)
    component.expression[at + 3] = 'd';
  return component;
}

std::optional<CompositeExtractor> compile_composite(const SearchParameter& composite,
                                                    std::string_view resource_type) {
  const TypeDef* resource = find_resource_type(resource_type);
  if (!resource || composite.component_count() == 0) return std::nullopt;
  CompositeExtractor extractor;
  for (const std::string_view part : split_outside(composite.expression(), "|")) {
    auto branches = compile_path(part, {resource, resource});
    if (!branches) return std::nullopt;
    for (Branch& branch : *branches) {
      if (!branch.type) return std::nullopt;
      CompositePath path{{std::move(branch.steps), LeafType::none, {}}, {}};
      for (std::size_t i = 0; i < composite.component_count(); ++i) {
        const Component component = component_of(composite, i);
        if (!component.parameter) return std::nullopt;
        auto values =
            compile_from(component.expression, {branch.type, resource}, component.parameter->type());
        if (!values) return std::nullopt;
        path.components.push_back(std::move(*values));
      }
      extractor.paths.push_back(std::move(path));
    }
  }
  return extractor;
}

}  // namespace kiln::fhir::detail
