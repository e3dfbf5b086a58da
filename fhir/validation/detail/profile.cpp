#include "fhir/validation/detail/profile.h"

#include <algorithm>
#include <charconv>

#include "fhir/validation/detail/compare.h"

namespace kiln::fhir::detail {
namespace {

constexpr std::string_view kBase = "http://hl7.org/fhir/StructureDefinition/";
constexpr int kDerivationMax = 20;

unsigned number_of(std::string_view text, unsigned otherwise) {
  unsigned number = otherwise;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

BindingStrength strength_of(std::string_view name) {
  if (name == "required") return BindingStrength::required;
  if (name == "extensible") return BindingStrength::extensible;
  if (name == "preferred") return BindingStrength::preferred;
  return BindingStrength::example;
}

DiscriminatorKind kind_of(std::string_view name) {
  if (name == "exists") return DiscriminatorKind::exists;
  if (name == "pattern") return DiscriminatorKind::pattern;
  if (name == "type") return DiscriminatorKind::type;
  if (name == "profile") return DiscriminatorKind::profile;
  return DiscriminatorKind::value;
}

std::vector<std::string> texts_of(Node parent, std::string_view name) {
  std::vector<std::string> list;
  for (const Node node : parent) {
    if (node.name() == name) list.emplace_back(node.text());
  }
  return list;
}

RuleConstraint constraint_of(std::string_view key, std::string_view text, bool is_error) {
  RuleConstraint constraint{std::string(key), {}, {}, is_error};
  if (text.empty()) return constraint;
  if (auto expression = PathExpression::compile(text, {nullptr, false, true}))
    constraint.expression = *expression;
  else
    constraint.problem = expression.error().text;
  return constraint;
}

Slicing slicing_of(Node node) {
  Slicing slicing;
  const std::string_view rules = node["rules"].text();
  slicing.rules = rules == "closed"      ? SlicingRules::closed
                  : rules == "openAtEnd" ? SlicingRules::open_at_end
                                         : SlicingRules::open;
  slicing.ordered = node["ordered"].text() == "true";
  for (const Node child : node) {
    if (child.name() == "discriminator")
      slicing.discriminators.push_back({kind_of(child["type"].text()), std::string(child["path"].text())});
  }
  return slicing;
}

/// Bindings beside the main one, as later versions have them.
std::vector<ExtraBinding> extra_bindings_of(Node binding) {
  std::vector<ExtraBinding> list;
  for (const Node extension : binding) {
    if (extension.name() != "extension") continue;
    const std::string_view url = extension["url"].text();
    if (!url.ends_with("ElementDefinition.binding.additional") && !url.ends_with("StructureDefinition/additional-binding"))
      continue;
    ExtraBinding extra{BindingStrength::none, {}};
    for (const Node part : extension) {
      if (part["url"].text() == "purpose") extra.strength = strength_of(part["value"].text());
      if (part["url"].text() == "valueSet") extra.value_set = part["value"].text();
    }
    if (!extra.value_set.empty()) list.push_back(std::move(extra));
  }
  return list;
}

/// "$this <= now() + 10 years" of a duration that later versions of FHIR have here.
PathExpression distance_from_now(Node duration, const char* comparison) {
  static constexpr std::pair<std::string_view, const char*> kUnits[] = {
      {"a", "years"}, {"mo", "months"}, {"wk", "weeks"}, {"d", "days"}, {"h", "hours"}, {"min", "minutes"}};
  const std::string_view code = duration["code"].text(), value = duration["value"].text();
  for (const auto& [unit, word] : kUnits) {
    if (unit != code) continue;
    const bool is_date = unit != "h" && unit != "min";
    const std::string text = std::string("$this ") + comparison + (is_date ? " today() + " : " now() + ") + std::string(value) + " " + word;
    if (auto expression = PathExpression::compile(text)) return *expression;
  }
  return {};
}

/// Lays the elements of a differential (or snapshot) over a tree of rules, in their order.
class Overlay {
 public:
  Overlay(ElementRule& root, const TypeDef& type, const Library& library, std::vector<Profile::Problem>& problems)
      : root_(root), type_(type), library_(library), problems_(problems) {}

  void apply(Node element) {
    const std::string_view path = element["path"].text();
    const std::string_view slice = element["sliceName"].text();
    if (!exists(path)) return problem(element, "the type has no such element");
    ElementRule* rule = rule_at(path);
    if (!rule) return;
    check_discriminators(path, element);
    forget_below(path);
    if (!slice.empty() && rule != &root_) rule = slice_of(*rule, slice, path);
    if (const Node fixed = element["fixed"]; fixed && rule->fixed && !is_equal(fixed, rule->fixed))
      problem(element, "the value that the base profile fixes is changed");
    check_type_profiles(element);
    set(*rule, element);
  }

 private:
  /// A profile of a type is one of that type.
  void check_type_profiles(Node element) {
    for (const Node type : element) {
      const TypeDef* code = type.name() == "type" ? find_type(type["code"].text()) : nullptr;
      if (!code || code->is_abstract()) continue;
      for (const Node url : type) {
        if (url.name() != "profile" || !url.has_value()) continue;
        const std::string_view constrained = constrained_type(url.text());
        if (!constrained.empty() && constrained != code->name()) problem(url, "a profile of another type");
      }
    }
  }

  /// The type that a profile is one of; empty when the profile is not at hand.
  std::string_view constrained_type(std::string_view url) const {
    if (const TypeDef* type = ProfileStore::base_type(url)) {
      const bool is_profile = type->name() == "SimpleQuantity" || type->name() == "MoneyQuantity";
      return is_profile ? "Quantity" : type->name();
    }
    const Node definition = library_.find("StructureDefinition", url);
    return definition ? definition["type"].text() : std::string_view();
  }

  void problem(Node element, const char* text) { problems_.push_back({element, text}); }

  /// The content that a path leads to; nullptr when that depends on the document (choices, any resource).
  /// `known` is false when the path leads nowhere.
  const TypeDef* content_of(std::string_view path, bool& known) const {
    const TypeDef* at = &type_;
    known = true;
    path = path.substr(path.find('.') == path.npos ? path.size() : path.find('.') + 1);
    while (!path.empty() && at) {
      std::string_view step = path.substr(0, path.find('.'));
      path.remove_prefix(std::min(step.size() + 1, path.size()));
      if (step.ends_with("[x]")) step.remove_suffix(3);
      const ElementDef* element = at->element(step);
      const JsonMember member = at->element_by_json_name(step);
      if (!element && !member) known = false;
      at = element && element->is_choice() ? nullptr : element ? element->only_type() : member.content();
      if (at && at->is_resource()) at = nullptr;
    }
    return at;
  }

  bool exists(std::string_view path) const {
    bool known = true;
    content_of(path, known);
    return known;
  }

  /// The first step of a discriminator is an element of what is sliced.
  void check_discriminators(std::string_view path, Node element) {
    bool known = true;
    const TypeDef* content = content_of(path, known);
    if (!content) return;
    for (const Node child : element["slicing"]) {
      if (child.name() != "discriminator") continue;
      std::string_view step = child["path"].text();
      if (step.starts_with("$this.")) step.remove_prefix(6);
      step = step.substr(0, step.find('.'));
      if (step == "$this" || step.find('(') != step.npos || step.empty()) continue;
      if (!content->element(step) && !content->element_by_json_name(step))
        problem(element, "a discriminator leads to no element");
    }
  }

  /// The rule that a path means at this point: inside the slice opened last, when there is one.
  ElementRule* rule_at(std::string_view path) {
    const std::size_t dot = path.rfind('.');
    if (dot == path.npos) return &root_;
    ElementRule* parent = current(path.substr(0, dot));
    if (!parent) return nullptr;
    std::string_view name = path.substr(dot + 1);
    if (name.ends_with("[x]")) name.remove_suffix(3);
    return choice_or_child(*parent, name, path);
  }

  ElementRule* current(std::string_view path) {
    if (path.find('.') == path.npos) return &root_;
    if (const auto found = open_.find(path); found != open_.end()) return found->second;
    return rule_at(path);
  }

  /// `valueQuantity` is short for the slice of value[x] whose type is Quantity.
  ElementRule* choice_or_child(ElementRule& parent, std::string_view name, std::string_view path) {
    for (std::size_t at = 1; at < name.size(); ++at) {
      if (name[at] < 'A' || name[at] > 'Z') continue;
      const TypeDef* type = type_named(name.substr(at));
      if (!type || !is_choice(path, name.substr(0, at))) continue;
      ElementRule* choice = add_child(parent, name.substr(0, at));
      if (!choice->slicing) choice->slicing = Slicing{{{DiscriminatorKind::type, "$this"}}, SlicingRules::open, false};
      ElementRule* slice = find_slice(*choice, name);
      if (slice) return slice;
      auto made = std::make_unique<ElementRule>();
      made->name = choice->name;
      made->slice_name = name;
      made->types.push_back({std::string(type->name()), {}, {}});
      choice->slices.push_back(std::move(made));
      return choice->slices.back().get();
    }
    return add_child(parent, name);
  }

  static const TypeDef* type_named(std::string_view name) {
    if (const TypeDef* type = find_type(name); type && !type->is_resource()) return type;
    std::string lower(name);
    lower[0] = static_cast<char>(lower[0] - 'A' + 'a');
    const TypeDef* type = find_type(lower);
    return type && type->is_primitive() ? type : nullptr;
  }

  /// The element before the type's name is a choice of the type that the path leads to.
  bool is_choice(std::string_view path, std::string_view base) const {
    bool known = true;
    const TypeDef* at = content_of(path.substr(0, path.rfind('.')), known);
    const ElementDef* element = at ? at->element(base) : nullptr;
    return element && element->is_choice();
  }

  static ElementRule* add_child(ElementRule& parent, std::string_view name) {
    if (ElementRule* found = parent.child(name)) return found;
    auto made = std::make_unique<ElementRule>();
    made->name = name;
    parent.children.push_back(std::move(made));
    return parent.children.back().get();
  }

  static ElementRule* find_slice(ElementRule& rule, std::string_view name) {
    for (const auto& slice : rule.slices) {
      if (slice->slice_name == name) return slice.get();
    }
    return nullptr;
  }

  /// "a" is a slice; "a/b" is a slice of the slice "a".
  ElementRule* slice_of(ElementRule& rule, std::string_view name, std::string_view path) {
    ElementRule* owner = &rule;
    if (const std::size_t bar = name.rfind('/'); bar != name.npos) {
      if (ElementRule* outer = find_slice(rule, name.substr(0, bar))) owner = outer;
    }
    ElementRule* slice = find_slice(*owner, name);
    if (!slice) {
      auto made = std::make_unique<ElementRule>();
      made->name = rule.name;
      made->slice_name = name;
      owner->slices.push_back(std::move(made));
      slice = owner->slices.back().get();
    }
    open_[std::string(path)] = slice;
    return slice;
  }

  /// What was open at a path and below it is over when the path comes again.
  void forget_below(std::string_view path) {
    const std::string prefix = std::string(path) + ".";
    std::erase_if(open_, [&](const auto& entry) { return entry.first == path || entry.first.starts_with(prefix); });
  }

  static void set(ElementRule& rule, Node element) {
    for (const Node node : element) {
      const std::string_view name = node.name();
      if (name == "min") {
        rule.min = number_of(node.text(), rule.min);
      } else if (name == "max") {
        rule.max = node.text() == "*" ? kUnbounded : number_of(node.text(), rule.max);
      } else if (name == "fixed") {
        rule.fixed = node;
      } else if (name == "pattern") {
        rule.pattern = node;
      } else if (name == "minValue") {
        rule.min_value = node;
      } else if (name == "maxValue") {
        rule.max_value = node;
      } else if (name == "minValueDuration") {
        rule.earliest = distance_from_now(node, ">=");
      } else if (name == "maxValueDuration") {
        rule.latest = distance_from_now(node, "<=");
      } else if (name == "maxLength") {
        rule.max_length = number_of(node.text(), 0);
      } else if (name == "mustSupport") {
        rule.must_support = node.text() == "true";
      } else if (name == "binding") {
        rule.strength = strength_of(node["strength"].text());
        rule.value_set = node["valueSet"].text();
        rule.extra_bindings = extra_bindings_of(node);
      } else if (name == "slicing") {
        rule.slicing = slicing_of(node);
      } else if (name == "constraint") {
        set_constraint(rule, node);
      } else if (name == "extension") {
        set_extension(rule, node);
      }
    }
    if (element["type"]) set_types(rule, element);
  }

  /// What later versions of FHIR say by elements of their own.
  static void set_extension(ElementRule& rule, Node node) {
    const std::string_view url = node["url"].text();
    const Node value = node["value"];
    if (url.ends_with("StructureDefinition/narrative-language-control")) rule.narrative_language = value.text();
    if (url.ends_with("StructureDefinition/narrative-source-control")) rule.narrative_source = true;
    if (url.ends_with("StructureDefinition/minLength")) rule.min_length = number_of(value.text(), 0);
    if (url.ends_with("extension-ElementDefinition.mustHaveValue")) rule.must_have_value = value.text() == "true";
    if (url.ends_with("extension-ElementDefinition.valueAlternatives")) rule.value_alternatives.emplace_back(value.text());
  }

  static void set_constraint(ElementRule& rule, Node node) {
    const std::string_view key = node["key"].text();
    std::erase_if(rule.constraints, [&](const RuleConstraint& other) { return other.key == key; });
    rule.constraints.push_back(
        constraint_of(key, node["expression"].text(), node["severity"].text() != "warning"));
  }

  static void set_types(ElementRule& rule, Node element) {
    rule.types.clear();
    for (const Node node : element) {
      if (node.name() != "type") continue;
      std::string code(node["code"].text());
      constexpr std::string_view kSystem = "http://hl7.org/fhirpath/System.";
      if (code.starts_with(kSystem)) continue;  // the value of a primitive
      rule.types.push_back({std::move(code), texts_of(node, "profile"), texts_of(node, "targetProfile")});
    }
  }

  ElementRule& root_;
  const TypeDef& type_;
  const Library& library_;
  std::vector<Profile::Problem>& problems_;
  std::map<std::string, ElementRule*, std::less<>> open_;
};

}  // namespace

ElementRule* ElementRule::child(std::string_view child_name) {
  for (const auto& rule : children) {
    if (rule->name == child_name) return rule.get();
  }
  return nullptr;
}
const ElementRule* ElementRule::child(std::string_view child_name) const {
  return const_cast<ElementRule*>(this)->child(child_name);
}

std::unique_ptr<ElementRule> ElementRule::copy() const {
  auto made = std::make_unique<ElementRule>();
  made->name = name;
  made->slice_name = slice_name;
  made->min = min;
  made->max = max;
  made->types = types;
  made->fixed = fixed;
  made->pattern = pattern;
  made->min_value = min_value;
  made->max_value = max_value;
  made->max_length = max_length;
  made->min_length = min_length;
  made->must_have_value = must_have_value;
  made->value_alternatives = value_alternatives;
  made->extra_bindings = extra_bindings;
  made->earliest = earliest;
  made->latest = latest;
  made->narrative_language = narrative_language;
  made->narrative_source = narrative_source;
  made->strength = strength;
  made->value_set = value_set;
  made->constraints = constraints;
  made->must_support = must_support;
  made->slicing = slicing;
  for (const auto& slice : slices) made->slices.push_back(slice->copy());
  for (const auto& rule : children) made->children.push_back(rule->copy());
  return made;
}

const TypeDef* ProfileStore::base_type(std::string_view canonical) {
  const std::string_view url = split_canonical(canonical).url;
  return url.starts_with(kBase) ? find_type(url.substr(kBase.size())) : nullptr;
}

const Profile* ProfileStore::find(std::string_view canonical) const {
  const std::lock_guard lock(mutex_);
  return find_locked(canonical, 0);
}

const Profile* ProfileStore::find_locked(std::string_view canonical, int depth) const {
  if (const auto found = compiled_.find(canonical); found != compiled_.end()) return found->second.get();
  std::unique_ptr<Profile> made;
  if (depth < kDerivationMax && !base_type(canonical)) {
    if (const Node definition = library_.find("StructureDefinition", canonical)) made = compile(definition, depth);
  }
  return compiled_.emplace(std::string(canonical), std::move(made)).first->second.get();
}

std::unique_ptr<Profile> ProfileStore::compile_once(Node definition) const {
  const std::lock_guard lock(mutex_);
  return compile(definition, 0);
}

std::unique_ptr<Profile> ProfileStore::compile(Node definition, int depth) const {
  auto profile = std::make_unique<Profile>();
  profile->url = definition["url"].text();
  profile->version = definition["version"].text();
  profile->title = definition["title"].text();
  profile->type = find_type(definition["type"].text());
  if (!profile->type) return nullptr;
  const std::string_view base_url = definition["baseDefinition"].text();
  const Profile* base = base_type(base_url) ? nullptr : find_locked(base_url, depth + 1);
  profile->has_base = base ? base->has_base : base_type(base_url) != nullptr;
  profile->root = base ? base->root->copy() : std::make_unique<ElementRule>();
  if (base) {
    profile->chain = base->chain;
    profile->chain.push_back(base->url);
  }
  // A snapshot says everything; it is needed where the base is not at hand, or nothing else is given.
  const Node differential = definition["differential"], snapshot = definition["snapshot"];
  const Node elements = snapshot && (!profile->has_base || !differential) ? snapshot : differential;
  if (elements == snapshot && snapshot) profile->has_base = true;
  Overlay overlay(*profile->root, *profile->type, library_, profile->problems);
  for (const Node element : elements) {
    if (element.name() == "element") overlay.apply(element);
  }
  for (const Node context : definition) {
    if (context.name() == "context")
      profile->contexts.push_back({std::string(context["type"].text()), std::string(context["expression"].text())});
    if (context.name() == "contextInvariant")
      profile->context_invariants.push_back(constraint_of("context", context.text(), true));
  }
  return profile;
}

}  // namespace kiln::fhir::detail
