#include "fhir/validation/detail/profile.h"

#include <algorithm>
#include <charconv>

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
  if (auto expression = PathExpression::compile(text))
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

/// Lays the elements of a differential (or snapshot) over a tree of rules, in their order.
class Overlay {
 public:
  Overlay(ElementRule& root, const TypeDef& type) : root_(root), type_(type) {}

  void apply(Node element) {
    const std::string_view path = element["path"].text();
    const std::string_view slice = element["sliceName"].text();
    ElementRule* rule = rule_at(path);
    if (!rule) return;
    forget_below(path);
    if (!slice.empty() && rule != &root_) rule = slice_of(*rule, slice, path);
    set(*rule, element);
  }

 private:
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
    const TypeDef* at = &type_;
    path = path.substr(path.find('.') == path.npos ? path.size() : path.find('.') + 1);
    while (path.find('.') != path.npos && at) {
      std::string_view step = path.substr(0, path.find('.'));
      path.remove_prefix(step.size() + 1);
      if (step.ends_with("[x]")) step.remove_suffix(3);
      if (const ElementDef* element = at->element(step); element && !element->is_choice()) {
        at = element->only_type();
      } else {
        at = at->element_by_json_name(step).content();
      }
    }
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
      } else if (name == "maxLength") {
        rule.max_length = number_of(node.text(), 0);
      } else if (name == "mustSupport") {
        rule.must_support = node.text() == "true";
      } else if (name == "binding") {
        rule.strength = strength_of(node["strength"].text());
        rule.value_set = node["valueSet"].text();
      } else if (name == "slicing") {
        rule.slicing = slicing_of(node);
      } else if (name == "constraint") {
        set_constraint(rule, node);
      }
    }
    if (element["type"]) set_types(rule, element);
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
  Overlay overlay(*profile->root, *profile->type);
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
