// Slices of a repeating element or choice (profiling.html#slicing).

#include <algorithm>

#include "fhir/validation/detail/compare.h"
#include "fhir/validation/detail/profile_check.h"

namespace kiln::fhir::detail {
namespace {

/// What an element of a slice's rule says, and where the rule goes on: in the rule itself, or in the profile of its type.
struct RulePlace {
  const ElementRule* rule = nullptr;
  const TypeDef* type = nullptr;  ///< of ofType(): further than the rule
};

const ElementRule* child_of(Session& session, const ElementRule& rule, std::string_view name) {
  if (const ElementRule* child = rule.child(name)) return child;
  for (const RuleType& type : rule.types) {
    for (const std::string& url : type.profiles) {
      const Profile* profile = ProfileStore::base_type(url) ? nullptr : session.profiles->find(url);
      if (profile && profile->root) {
        if (const ElementRule* child = profile->root->child(name)) return child;
      }
    }
  }
  return nullptr;
}

/// "coding.code", "$this", "extension('http://x').value", "resolve().code", "value.ofType(Coding)": one step at a time.
class PathSteps {
 public:
  explicit PathSteps(std::string_view path) : rest_(path == "$this" ? std::string_view() : path) {
    if (rest_.starts_with("$this.")) rest_.remove_prefix(6);
  }
  bool done() const { return rest_.empty(); }
  std::string_view next() {
    std::size_t end = 0;
    int open = 0;
    while (end < rest_.size() && (rest_[end] != '.' || open > 0)) {
      if (rest_[end] == '(') ++open;
      if (rest_[end] == ')') --open;
      ++end;
    }
    const std::string_view step = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return step;
  }

 private:
  std::string_view rest_;
};

std::string_view argument_of(std::string_view step) {
  const std::size_t open = step.find('('), close = step.rfind(')');
  std::string_view text = step.substr(open + 1, close - open - 1);
  if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"')) text = text.substr(1, text.size() - 2);
  return text;
}

std::vector<Node> walk_nodes(Session& session, Node item, std::string_view path) {
  std::vector<Node> nodes{item};
  for (PathSteps steps(path); !steps.done();) {
    const std::string_view step = steps.next();
    std::vector<Node> next;
    for (const Node node : nodes) {
      if (step == "resolve()") {
        if (const Node found = resolve_reference(session, node["reference"].text(), node)) next.push_back(found);
      } else if (step.starts_with("ofType(")) {
        if (node.type() && node.type()->name() == argument_of(step)) next.push_back(node);
      } else if (step.starts_with("extension(")) {
        for (const Node child : node) {
          if (child.name() == "extension" && child["url"].text() == argument_of(step)) next.push_back(child);
        }
      } else {
        for (const Node child : node) {
          if (child.name() == step || child.json_name() == step) next.push_back(child);
        }
      }
    }
    nodes = std::move(next);
  }
  return nodes;
}

/// The rules that speak about the discriminator's element; none when the slice does not say anything there.
RulePlace walk_rule(Session& session, const ElementRule& slice, std::string_view path) {
  RulePlace at{&slice, nullptr};
  for (PathSteps steps(path); !steps.done() && at.rule;) {
    const std::string_view step = steps.next();
    if (step == "resolve()") continue;
    if (step.starts_with("ofType(")) {
      at.type = find_type(argument_of(step));
      // The element's rule of that type is a slice of the choice.
      for (const auto& variant : at.rule->slices) {
        if (!variant->types.empty() && at.type && variant->types[0].code == at.type->name()) at.rule = variant.get();
      }
      continue;
    }
    if (step.starts_with("extension(")) {
      const ElementRule* extension = at.rule->child("extension");
      const ElementRule* found = nullptr;
      for (std::size_t i = 0; extension && i < extension->slices.size(); ++i) {
        const ElementRule& variant = *extension->slices[i];
        const ElementRule* url = child_of(session, variant, "url");
        if (url && url->fixed.text() == argument_of(step)) found = &variant;
      }
      at.rule = found;
      continue;
    }
    at.rule = child_of(session, *at.rule, step);
  }
  return at;
}

/// Of a choice that is sliced by type, the slice of the node's type; else the rule itself.
const ElementRule& variant_of(const ElementRule& rule, Node node) {
  for (const auto& slice : rule.slices) {
    if (slice->types.size() == 1 && node.type() && slice->types[0].code == node.type()->name()) return *slice;
  }
  return rule;
}

bool has_profile_or_type(Session& session, const ElementRule& rule, Node node, bool by_profile, bool resolved) {
  if (rule.types.empty()) {
    return std::any_of(rule.slices.begin(), rule.slices.end(), [&](const std::unique_ptr<ElementRule>& slice) {
      return !slice->types.empty() && has_profile_or_type(session, *slice, node, by_profile, resolved);
    });
  }
  return std::any_of(rule.types.begin(), rule.types.end(), [&](const RuleType& type) {
    if (by_profile || resolved) {
      const auto& profiles = resolved ? type.targets : type.profiles;
      if (!profiles.empty()) return conforms_to_any(session, node, profiles);
    }
    return node.type() && (node.type()->name() == type.code || node.type()->is_a(type.code));
  });
}

bool matches(Session& session, Node item, const ElementRule& slice, const Discriminator& discriminator) {
  const std::vector<Node> nodes = walk_nodes(session, item, discriminator.path);
  const ElementRule* rule = walk_rule(session, slice, discriminator.path).rule;
  const bool resolved = discriminator.path.ends_with("resolve()");
  switch (discriminator.kind) {
    case DiscriminatorKind::exists:
      if (!rule) return !nodes.empty();
      if (rule->max == 0) return nodes.empty();
      return rule->min == 0 || !nodes.empty();
    case DiscriminatorKind::type:
    case DiscriminatorKind::profile: {
      if (!rule || nodes.empty()) return false;
      const bool by_profile = discriminator.kind == DiscriminatorKind::profile;
      return std::any_of(nodes.begin(), nodes.end(), [&](Node node) {
        return has_profile_or_type(session, *rule, node, by_profile, resolved);
      });
    }
    case DiscriminatorKind::value:
    case DiscriminatorKind::pattern:
      break;
  }
  if (!rule) return false;
  if (nodes.empty()) return rule->max == 0 || (rule->min == 0 && !rule->fixed && !rule->pattern && rule->children.empty());
  // What the slice says about the element (fixed, pattern, binding, or deeper) decides.
  return std::any_of(nodes.begin(), nodes.end(), [&](Node node) {
    const ElementRule& said = variant_of(*rule, node);
    if (said.fixed) return is_equal(node, said.fixed);
    if (said.pattern) return matches_pattern(node, said.pattern);
    return rule_holds(session, node, said);
  });
}

class Slices {
 public:
  Slices(Session& session, Node parent, const ElementRule& rule)
      : session_(session), parent_(parent), rule_(rule), slicing_(slicing_of(rule)) {}

  void run(const std::vector<Node>& items) {
    std::vector<std::vector<Node>> found(rule_.slices.size());
    std::size_t last = 0;
    bool after_unmatched = false;
    for (const Node item : items) {
      const std::size_t position = slice_of(item);
      if (position == rule_.slices.size()) {
        unmatched(item);
        after_unmatched = true;
        continue;
      }
      if (after_unmatched && slicing_.rules == SlicingRules::open_at_end)
        session_.error("structure", item, "an item of a slice stands behind items of none");
      if (slicing_.ordered && position < last) session_.error("structure", item, "the slices are not in their order");
      last = std::max(last, position);
      found[position].push_back(item);
    }
    for (std::size_t i = 0; i < found.size(); ++i) check(*rule_.slices[i], found[i]);
  }

  bool is_in(Node item, const ElementRule& slice) {
    const std::size_t position = slice_of(item);
    return position < rule_.slices.size() && rule_.slices[position].get() == &slice;
  }

 private:
  static Slicing slicing_of(const ElementRule& rule) {
    if (rule.slicing && !rule.slicing->discriminators.empty()) return *rule.slicing;
    Slicing slicing = rule.slicing.value_or(Slicing{});
    if (rule.name == "extension" || rule.name == "modifierExtension")
      slicing.discriminators.push_back({DiscriminatorKind::value, "url"});
    return slicing;
  }

  std::size_t slice_of(Node item) {
    // Slices without discriminators can be told by no rule.
    if (slicing_.discriminators.empty()) return rule_.slices.size();
    for (std::size_t i = 0; i < rule_.slices.size(); ++i) {
      const ElementRule& slice = *rule_.slices[i];
      const bool all = std::all_of(slicing_.discriminators.begin(), slicing_.discriminators.end(),
                                   [&](const Discriminator& one) { return matches(session_, item, slice, one); });
      if (all) return i;
    }
    return rule_.slices.size();
  }

  void unmatched(Node item) {
    if (slicing_.rules == SlicingRules::closed && !slicing_.discriminators.empty())
      session_.error("structure", item, "the item is of none of the slices, and the slicing is closed");
  }

  void check(const ElementRule& slice, const std::vector<Node>& items) {
    const std::string name = rule_.name + ":" + slice.slice_name;
    if (items.size() < slice.min && !slicing_.discriminators.empty())
      session_.missing("required", parent_, rule_.name,
                       "the profile needs at least " + std::to_string(slice.min) + " of the slice " + name + ", found " +
                           std::to_string(items.size()));
    if (items.size() > slice.max)
      session_.too_many(items[slice.max], parent_, rule_.name,
                       "the profile allows at most " + std::to_string(slice.max) + " of the slice " + name + ", found " +
                           std::to_string(items.size()));
    if (items.empty() && slice.must_support && session_.options.report_must_support)
      session_.issues.add_at(IssueSeverity::information, "informational", parent_.path() + "." + rule_.name,
                             parent_.offset(), "must-support slice that is not there: " + name);
    for (const Node item : items) check_rule(session_, item, slice);
    if (!slice.slices.empty()) {
      // A slice that is sliced again uses its own discriminators, or else those of the outer slicing.
      if (slice.slicing && !slice.slicing->discriminators.empty()) {
        check_slices(session_, parent_, slice, items);
      } else {
        Slices inner(session_, parent_, slice);
        inner.slicing_.discriminators = slicing_.discriminators;
        inner.run(items);
      }
    }
  }

  Session& session_;
  Node parent_;
  const ElementRule& rule_;
  Slicing slicing_;
};

}  // namespace

namespace {

/// Every rule of the profile that speaks about a node, inside slices too; `at` is the root's node, or above it.
void rules_of(Session& session, Node node, const Profile& profile, std::vector<const ElementRule*>& rules) {
  const TypeDef* type = node.type();
  if (type && profile.type && type->is_a(profile.type->name())) {
    rules.push_back(profile.root.get());
    return;
  }
  if (!node.parent()) return;
  std::vector<const ElementRule*> outer;
  rules_of(session, node.parent(), profile, outer);
  for (const ElementRule* rule : outer) {
    if (const ElementRule* child = rule->child(node.name())) rules.push_back(child);
    for (const auto& slice : rule->slices) {
      const ElementRule* child = slice->child(node.name());
      if (child && Slices(session, node.parent().parent(), *rule).is_in(node.parent(), *slice)) rules.push_back(child);
    }
  }
}

}  // namespace

std::optional<bool> is_in_slice(Session& session, Node node, std::string_view profile_url, std::string_view name) {
  const Profile* profile = session.profiles->find(profile_url);
  if (!profile) return std::nullopt;
  std::vector<const ElementRule*> rules;
  // A profile of the node's own type is not what slices it.
  if (node.parent()) {
    std::vector<const ElementRule*> outer;
    rules_of(session, node.parent(), *profile, outer);
    for (const ElementRule* rule : outer)
      if (const ElementRule* child = rule->child(node.name())) rules.push_back(child);
  }
  std::optional<bool> answer;
  for (const ElementRule* rule : rules) {
    for (const auto& slice : rule->slices) {
      if (slice->slice_name != name) continue;
      if (Slices(session, node.parent(), *rule).is_in(node, *slice)) return true;
      answer = false;
    }
  }
  return answer;
}

void check_slices(Session& session, Node parent, const ElementRule& rule, const std::vector<Node>& items) {
  Slices(session, parent, rule).run(items);
}

}  // namespace kiln::fhir::detail
