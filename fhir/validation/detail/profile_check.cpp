// Layer 7: profiles.

#include "fhir/validation/detail/profile_check.h"

#include <algorithm>

#include "fhir/reference.h"
#include "fhir/validation/detail/compare.h"
#include "fhir/validation/detail/invariants.h"

namespace kiln::fhir::detail {
namespace {

constexpr int kProfileDepthMax = 24;  ///< profiles inside profiles

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool allows(const RuleType& rule, const TypeDef& type) {
  return rule.code == type.name() || type.is_a(rule.code);
}

void check_type(Session& session, Node node, const ElementRule& rule) {
  const TypeDef* type = node.type();
  if (rule.types.empty() || !type) return;
  // Inline content is named "BackboneElement" or "Element" in a profile.
  std::vector<const RuleType*> fitting;
  for (const RuleType& candidate : rule.types) {
    if (allows(candidate, *type)) fitting.push_back(&candidate);
  }
  if (fitting.empty())
    return session.error("structure", node, "the profile does not allow the type " + std::string(type->name()) + " here");
  for (const RuleType* candidate : fitting) {
    if (candidate->profiles.empty()) return;  // any content of the type
  }
  if (fitting.size() == 1 && fitting[0]->profiles.size() == 1)
    return check_profile(session, node, fitting[0]->profiles[0]);
  for (const RuleType* candidate : fitting) {
    if (conforms_to_any(session, node, candidate->profiles)) return;
  }
  session.error("structure", node, "the content conforms to none of the profiles that are allowed here");
}

/// Of a target profile that is a plain type: whether the resource, or the reference's text, is of it.
bool target_allowed(Session& session, std::string_view target, Node found, std::string_view type_name) {
  if (const TypeDef* base = ProfileStore::base_type(target)) {
    const TypeDef* type = found ? found.type() : find_resource_type(type_name);
    return !type || type->is_a(base->name());
  }
  const Profile* profile = session.profiles->find(target);
  if (!profile) return true;
  if (!found) {
    const TypeDef* type = find_resource_type(type_name);
    return !type || type->is_a(profile->type->name());
  }
  return conforms_to_any(session, found, {std::string(target)});
}

void check_targets(Session& session, Node node, const ElementRule& rule) {
  if (!node.type() || node.type()->name() != "Reference") return;
  const std::string_view text = node["reference"].text();
  if (text.empty()) return;
  const Node found = resolve_reference(session, text, node);
  const std::string_view type_name = parse_reference(text).type;
  if (!found && type_name.empty()) return;
  bool restricted = false;
  for (const RuleType& type : rule.types) {
    if (type.code != "Reference") continue;
    if (type.targets.empty()) return;
    restricted = true;
    for (const std::string& target : type.targets) {
      if (target_allowed(session, target, found, type_name)) return;
    }
  }
  if (restricted)
    session.error("structure", node, "what is referred to is none of the types and profiles that the profile allows");
}

void check_values(Session& session, Node node, const ElementRule& rule) {
  if (rule.fixed && !is_equal(node, rule.fixed))
    session.error("value", node, "the value is not the one that the profile fixes");
  if (rule.pattern && !matches_pattern(node, rule.pattern))
    session.error("value", node, "the value does not have what the pattern of the profile asks for");
  if (rule.min_value && compare_values(node, rule.min_value).value_or(0) < 0)
    session.error("value", node, "the value is less than the profile allows");
  if (rule.max_value && compare_values(node, rule.max_value).value_or(0) > 0)
    session.error("value", node, "the value is greater than the profile allows");
  if (rule.max_length && node.has_value() && characters_of(node.text()) > *rule.max_length)
    session.error("value", node, "the value is longer than the profile allows");
  if (rule.min_length && node.has_value() && characters_of(node.text()) < *rule.min_length)
    session.error("value", node, "the value is shorter than the profile allows");
  if (node.is_primitive() && !node.has_value()) {
    if (rule.must_have_value) session.error("required", node, "the profile needs a value here");
    const auto stands_in = [&](Node child) {
      const auto& urls = rule.value_alternatives;
      return child.name() == "extension" && std::find(urls.begin(), urls.end(), child["url"].text()) != urls.end();
    };
    bool any = rule.value_alternatives.empty();
    for (const Node child : node) any = any || stands_in(child);
    if (!any) session.error("required", node, "the profile needs a value here, or an extension that stands in for it");
  }
  for (const PathExpression* limit : {&rule.earliest, &rule.latest}) {
    if (!limit->compiled() || !node.has_value()) continue;
    const auto holds = limit->holds(node, session.environment, session.scratch);
    if (holds && !holds->value_or(true)) session.error("value", node, "the date is further from today than the profile allows");
  }
  if (!rule.narrative_language.empty()) check_narrative_language(session, node, rule.narrative_language);
  if (rule.narrative_source) check_narrative_source(session, node);
  for (const ExtraBinding& extra : rule.extra_bindings) check_binding(session, node, extra.strength, extra.value_set);
  if (rule.strength != BindingStrength::none) check_binding(session, node, rule.strength, rule.value_set);
}

void check_constraints(Session& session, Node node, const ElementRule& rule) {
  // What a profile says of a resource inside another is said by the outer one: %resource is that.
  const Node outer = node.is_resource() && rule.name.size() ? node.parent().resource() : Node();
  session.environment.resource = outer;
  session.environment.root_resource = outer ? outer.root() : Node();
  for (const RuleConstraint& constraint : rule.constraints) {
    if (!constraint.problem.empty()) {
      session.warning("exception", node, "the rule " + constraint.key + " of the profile cannot be used: " + constraint.problem);
    } else if (constraint.expression.compiled()) {
      check_expression(session, node, constraint.expression, constraint.key, constraint.is_error);
    }
  }
  session.environment.resource = Node();
  session.environment.root_resource = Node();
}

void check_count(Session& session, Node parent, const ElementRule& rule, const std::vector<Node>& items) {
  const std::size_t count = items.size();
  if (count < rule.min) {
    session.missing(count == 0 ? "required" : "structure", parent, rule.name,
                    "the profile needs at least " + std::to_string(rule.min) + " of " + rule.name + ", found " +
                        std::to_string(count));
  }
  if (count > rule.max) {
    session.too_many(items[rule.max], parent, rule.name,
                     "the profile allows at most " + std::to_string(rule.max) + " of " + rule.name + ", found " +
                         std::to_string(count));
  }
}

void check_children(Session& session, Node node, const ElementRule& rule) {
  for (const auto& child : rule.children) {
    if (session.issues.full()) return;
    if (child->name == "value" && node.is_primitive()) continue;
    std::vector<Node> items;
    for (const Node candidate : node) {
      if (candidate.name() == child->name) items.push_back(candidate);
    }
    check_count(session, node, *child, items);
    if (items.empty() && child->must_support && session.options.report_must_support)
      session.issues.add_at(IssueSeverity::information, "informational", node.path() + "." + child->name, node.offset(),
                            "must-support element that is not there: " + child->name);
    for (const Node item : items) check_rule(session, item, *child);
    if (!child->slices.empty()) check_slices(session, node, *child, items);
  }
}

}  // namespace

void check_rule(Session& session, Node node, const ElementRule& rule) {
  if (session.issues.full()) return;
  check_type(session, node, rule);
  check_targets(session, node, rule);
  check_values(session, node, rule);
  check_constraints(session, node, rule);
  check_children(session, node, rule);
}

bool rule_holds(Session& session, Node node, const ElementRule& rule) {
  return errors_of(session, [&] { check_rule(session, node, rule); }) == 0;
}

bool conforms_to_any(Session& session, Node node, const std::vector<std::string>& profiles) {
  return std::any_of(profiles.begin(), profiles.end(), [&](const std::string& profile) {
    return errors_of(session, [&] { check_profile(session, node, profile); }) == 0;
  });
}

void check_profile(Session& session, Node node, std::string_view url) {
  if (const TypeDef* type = ProfileStore::base_type(url)) {
    if (node.type() && !node.type()->is_a(type->name()))
      session.error("structure", node, "expects the type " + std::string(type->name()));
    return;
  }
  const Profile* profile = session.profiles->find(url);
  if (!profile)
    return session.note("not-found", node, "not checked: the profile " + std::string(url) + " is not at hand");
  if (node.type() && !node.type()->is_a(profile->type->name())) {
    return session.error("structure", node, "the profile " + profile->url + " is one of " +
                                                std::string(profile->type->name()));
  }
  if (!profile->has_base)
    session.note("not-found", node, "not checked in full: a profile that " + profile->url + " derives from is not at hand");
  for (const Profile::Problem& problem : profile->problems)
    session.note("not-supported", node, "not checked in full: a rule of " + profile->url + " cannot be used: " + problem.text);
  // A profile may come back to a node through references; it is being checked already then.
  const std::pair<std::uint32_t, const void*> visit(node.id(), profile);
  auto& open = session.open_profiles;
  if (std::find(open.begin(), open.end(), visit) != open.end() || open.size() >= kProfileDepthMax) return;
  open.push_back(visit);
  check_rule(session, node, *profile->root);
  open.pop_back();
}

void check_definition(Session& session, Node definition) {
  if (definition["derivation"].text() != "constraint") return;
  const auto profile = session.profiles->compile_once(definition);
  if (!profile) return;
  for (const Profile::Problem& problem : profile->problems) session.error("invalid", problem.element, problem.text);
}

void check_profiles(Session& session, Node resource) {
  for (const std::string& url : session.library->global_profiles(resource.type()->name()))
    check_profile(session, resource, url);
  if (!resource.parent()) {
    for (const std::string& url : session.options.profiles) {
      if (!ProfileStore::base_type(url) && !session.profiles->find(url)) {
        session.error("not-found", resource, "the profile " + url + " is not at hand");
      } else {
        check_profile(session, resource, url);
      }
    }
  }
  for (const Node profile : resource["meta"]) {
    if (profile.name() != "profile" || !profile.has_value()) continue;
    if (!ProfileStore::base_type(profile.text()) && !session.profiles->find(profile.text())) {
      session.warning("not-found", profile, "not checked: the profile is not at hand");
    } else {
      check_profile(session, resource, profile.text());
    }
  }
}

}  // namespace kiln::fhir::detail
