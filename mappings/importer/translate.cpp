#include "mappings/importer/translate.h"

#include <algorithm>
#include <optional>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/condition.h"
#include "mappings/importer/guide_path.h"

namespace kiln::mappings {
namespace {

struct Item {
  const GuideRow* row;
  std::vector<GuideStep> steps;
};

/// Where the way of an item ends at this level: a value, or something that is built of several rows.
struct Head {
  enum class Kind { value, list, choice, extension } kind = Kind::value;
  std::string path;  ///< "type.coding"
  std::string key;   ///< the path with instance numbers: rows with one key build one thing
  const fhir::ElementDef* element = nullptr;
  const fhir::TypeDef* type = nullptr;  ///< of the content
  std::size_t next = 0;                 ///< first step behind it
};

struct Value {
  std::string text, since;
  bool constant = false;
};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == '$') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// "…/humanname-own-prefix" -> humannameOwnPrefix.
std::string short_name(std::string_view url) {
  const std::string_view last = url.substr(url.rfind('/') + 1);
  std::string out;
  bool upper = false;
  for (const char c : last) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter) out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    upper = !letter;
  }
  return out;
}

bool is_number(std::string_view type) {
  return type == "decimal" || type == "integer" || type == "positiveInt" || type == "unsignedInt";
}

class Translator {
 public:
  Translator(const GuideSheet& sheet, const RuleNames& names, std::string_view self)
      : names_(names), sources_(sheet.name.substr(0, sheet.name.find('[')), sheet.kind == "segments", self) {
    const std::size_t open = sheet.name.find('['), end = sheet.name.find_first_of("-]", open);
    out_.source = sheet.name.substr(0, open);
    if (open != std::string::npos) out_.target = sheet.name.substr(open + 1, end - open - 1);
  }

  Translation run(const GuideSheet& sheet, const std::function<bool(int)>& left_out) {
    const fhir::TypeDef* type =
        out_.target.find('.') == std::string::npos ? fhir::find_type(out_.target) : nullptr;
    std::vector<Item> items;
    for (const GuideRow& row : sheet.rows) {
      if (row.target.empty() || left_out(row.row)) continue;
      if (type == nullptr || type->is_primitive()) {
        by_hand(row, "a conversion of the language");
        continue;
      }
      // `[1].` of a datatype that makes several things is the thing at hand.
      const std::string_view target(row.target);
      auto steps = guide_steps(target.starts_with("[1].") ? target.substr(4) : target);
      if (steps && row.target.ends_with(".url")) {
        std::string key = guide_key(row.target);
        key.resize(key.size() - 4);
        urls_.emplace_back(std::move(key), &row);
      }
      if (row.narrative.empty() && steps) {
        items.push_back({&row, std::move(*steps)});
        continue;
      }
      by_hand(row, steps ? "a condition that people decide" : reason_of(row.target));
      not_plain_.push_back(guide_key(row.target));
    }
    if (type != nullptr) out_.rules = level(*type, items, 0);
    return std::move(out_);
  }

 private:
  static std::string reason_of(std::string_view target) {
    if (target.find("$this") != std::string_view::npos) return "hands the field on to another map";
    if (target.find('(') != std::string_view::npos) return "makes or points to another resource";
    if (target.starts_with('[')) return "a field that makes several resources";
    return "the target is no plain path";
  }

  /// A row that people decide writes a part of what these rows build.
  bool shared_by_hand(const std::string& key) const {
    return std::any_of(not_plain_.begin(), not_plain_.end(), [&](const std::string& other) {
      return other.starts_with(key) &&
             (other.size() == key.size() || other[key.size()] == '.' || other[key.size()] == '(');
    });
  }

  void by_hand(const GuideRow& row, std::string reason) { out_.by_hand.emplace(row.row, std::move(reason)); }
  void all_by_hand(const std::vector<const Item*>& items, const std::string& reason) {
    for (const Item* item : items) by_hand(*item->row, reason);
  }

  /// The URL that a row of the same field gives to this extension.
  std::string url_of(const std::string& key, const Item& item) const {
    for (const auto& [other, row] : urls_)
      if (other == key && row->source == item.row->source) return row->assignment;
    return {};
  }

  std::optional<Head> head_of(const fhir::TypeDef& root, const Item& item, std::size_t depth) {
    Head head;
    const fhir::TypeDef* type = &root;
    for (std::size_t i = depth; i < item.steps.size(); ++i) {
      const GuideStep& step = item.steps[i];
      const bool last = i + 1 == item.steps.size();
      const std::string dot = head.key.empty() ? "" : ".";
      head.key += dot + step.name + (step.index == "1" ? "" : step.index);
      head.next = i + 1;
      if (step.name == "extension") {
        if (last) return std::nullopt;
        head.kind = Head::Kind::extension;
        head.key += url_of(head.key, item);  // some sheets number all extensions alike
        return head;
      }
      const fhir::JsonMember member =
          type == nullptr ? fhir::JsonMember() : type->element_by_json_name(step.name);
      if (!member) {
        by_hand(*item.row, "R4 has no such element");
        return std::nullopt;
      }
      head.path += dot + std::string(member.element->name());
      head.element = member.element;
      head.type = member.content();
      if (last) return head;
      if (member.element->is_list() || member.element->is_choice()) {
        head.kind = member.element->is_choice() ? Head::Kind::choice : Head::Kind::list;
        return head;
      }
      type = head.type;
    }
    return std::nullopt;
  }

  /// Rules for the elements of one object.
  std::vector<GuideRule> level(const fhir::TypeDef& type, const std::vector<Item>& items, std::size_t depth) {
    std::vector<std::pair<Head, std::vector<const Item*>>> groups;
    for (const Item& item : items) {
      const auto head = head_of(type, item, depth);
      if (!head) {
        by_hand(*item.row, "the target is no plain path");
        continue;
      }
      const bool single = head->kind == Head::Kind::value;
      const auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& group) {
        return !single && group.first.kind == head->kind && group.first.key == head->key;
      });
      if (same != groups.end())
        same->second.push_back(&item);
      else
        groups.push_back({*head, {&item}});
    }
    drop_tangled(groups, depth);
    std::vector<GuideRule> rules;
    for (const auto& [head, members] : groups) {
      auto rule = head.kind == Head::Kind::value       ? value_rule(head, *members.front())
                  : head.kind == Head::Kind::extension ? extension_rule(head, members)
                                                       : object_rule(head, members);
      if (rule) rules.push_back(std::move(*rule));
    }
    return rules;
  }

  /// Rows that write one value together, or parts of a value that another row writes whole.
  void drop_tangled(std::vector<std::pair<Head, std::vector<const Item*>>>& groups, std::size_t depth) {
    const auto tangled = [](const Head& a, const Head& b) {
      const bool inside =
          b.key.size() > a.key.size() && b.key.starts_with(a.key) && b.key[a.key.size()] == '.';
      if (inside && a.kind == Head::Kind::value && b.kind != Head::Kind::extension) return true;
      if (a.key == b.key && a.kind != b.kind) return true;
      const bool one = a.element != nullptr && !a.element->is_list() && a.path == b.path;
      return one && a.kind != Head::Kind::extension && b.kind != Head::Kind::extension;
    };
    std::vector<bool> drop(groups.size());
    for (std::size_t i = 0; i < groups.size(); ++i)
      for (std::size_t k = 0; k < groups.size(); ++k)
        if (i != k && tangled(groups[i].first, groups[k].first)) drop[i] = drop[k] = true;
    for (std::size_t i = 0; i < groups.size(); ++i)
      if (depth == 0 && shared_by_hand(groups[i].first.key)) drop[i] = true;
    for (std::size_t i = groups.size(); i-- > 0;) {
      if (!drop[i]) continue;
      all_by_hand(groups[i].second, "several rows write this value");
      groups.erase(groups.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  std::optional<std::string> condition_of(const GuideRow& row, std::string& since) {
    if (row.condition.empty()) return std::string();
    const ConditionSource source = [&](std::string_view text) -> std::optional<std::string> {
      const auto field = sources_.find(text);
      if (!field) return std::nullopt;
      since = std::max(since, field->since);
      return field->path;
    };
    auto condition = translate_condition(row.condition, source);
    if (!condition) by_hand(row, "the condition is not understood");
    return condition;
  }

  std::optional<GuideRule> value_rule(const Head& head, const Item& item) {
    const GuideRow& row = *item.row;
    if (head.type == nullptr) return by_hand(row, "the target is no plain path"), std::nullopt;
    GuideRule rule;
    auto condition = condition_of(row, rule.since);
    if (!condition) return std::nullopt;
    const auto value = value_of(row, *head.type, head.element->is_list());
    if (!value) return std::nullopt;
    rule.rows = {row.row};
    rule.path = head.path;
    rule.condition = std::move(*condition);
    rule.since = std::max(rule.since, value->since);
    rule.constant = value->constant;
    const bool typed = value->text.find(" as ") != std::string::npos;
    rule.text = head.path + (head.element->is_list() ? " += " : " = ") + value->text +
                (head.element->is_choice() && !typed ? " as " + std::string(head.type->name()) : "");
    if (rule.constant) guard(rule, row);
    return rule;
  }

  /// A literal stands for its field: without a value nothing is said. Inside an object its neighbours see to
  /// that.
  void guard(GuideRule& rule, const GuideRow& row) {
    const auto field = sources_.find(row.source);
    if (!field || !rule.condition.empty()) return;
    rule.condition = field->path + " is valued";
    rule.since = std::max(rule.since, field->since);
  }

  std::optional<GuideRule> object_rule(const Head& head, const std::vector<const Item*>& members) {
    std::vector<Item> items;
    for (const Item* member : members) items.push_back(*member);
    if (head.type == nullptr) return all_by_hand(members, "the target is no plain path"), std::nullopt;
    const bool list = head.element->is_list();
    in_list_ += list ? 1 : 0;
    auto rule = object_of(head.path, list ? " += " : " = ",
                          head.kind == Head::Kind::choice ? " as " + std::string(head.type->name()) : "",
                          *head.type, items, head.next);
    in_list_ -= list ? 1 : 0;
    return rule;
  }

  std::optional<GuideRule> object_of(const std::string& path, const std::string& sign, const std::string& as,
                                     const fhir::TypeDef& type, const std::vector<Item>& items,
                                     std::size_t depth) {
    std::vector<GuideRule> parts = level(type, items, depth);
    GuideRule rule;
    for (const GuideRule& part : parts) rule.rows.insert(rule.rows.end(), part.rows.begin(), part.rows.end());
    if (rule.rows.size() != items.size()) {
      for (const Item& item : items) by_hand(*item.row, "written together with rows that people decide");
      return std::nullopt;
    }
    const bool all_constant =
        std::all_of(parts.begin(), parts.end(), [](const GuideRule& part) { return part.constant; });
    // A literal goes with its neighbours unless its row says when.
    const auto follows = [&](const GuideRule& part) {
      return part.constant && !all_constant && condition_in(items, part.rows.front()).empty();
    };
    std::set<std::string> conditions;
    for (GuideRule& part : parts) {
      rule.since = std::max(rule.since, part.since);
      if (follows(part))
        part.condition.clear();
      else
        conditions.insert(part.condition);
    }
    const bool shared = conditions.size() == 1;
    std::string inner;
    for (const GuideRule& part : parts) {
      inner += (inner.empty() ? "" : "  ") + part.text;
      if (!shared && !part.condition.empty()) inner += " if " + part.condition;
    }
    rule.path = path;
    if (shared) rule.condition = *conditions.begin();
    rule.constant = all_constant;
    rule.text = path + sign + "{ " + inner + " }" + as;
    return rule;
  }

  static std::string condition_in(const std::vector<Item>& items, int row) {
    for (const Item& item : items)
      if (item.row->row == row) return item.row->condition;
    return {};
  }

  std::optional<GuideRule> extension_rule(const Head& head, const std::vector<const Item*>& members) {
    const GuideRow* url = nullptr;
    std::vector<Item> values;
    for (const Item* member : members) {
      const std::string& name = member->steps[head.next].name;
      const bool last = head.next + 1 == member->steps.size();
      if (name == "url" && last && url == nullptr)
        url = member->row;
      else
        values.push_back(*member);
    }
    const std::string_view written = url == nullptr ? std::string_view() : std::string_view(url->assignment);
    const bool usable = written.size() > 8 && written.starts_with("\"http") && written.ends_with("\"") &&
                        written.find_first_of("\\$ ") == std::string_view::npos;
    if (written.empty()) return all_by_hand(members, "an extension without a URL"), std::nullopt;
    if (!usable || (!values.empty() && values.front().steps[head.next].name == "extension"))
      return extension_object(head, members);
    const auto member =
        values.empty()
            ? fhir::JsonMember()
            : fhir::find_type("Extension")->element_by_json_name(values.front().steps[head.next].name);
    if (!member || member.type == nullptr)
      return all_by_hand(members, "an extension without a value"), std::nullopt;
    GuideExtension extension{short_name(written.substr(1, written.size() - 2)),
                             std::string(written.substr(1, written.size() - 2)),
                             std::string(member.type->name())};
    const std::string path = (head.path.empty() ? "" : head.path + ".") + "ext(" + extension.name + ")";
    std::optional<GuideRule> rule;
    if (values.size() == 1 && values.front().steps.size() == head.next + 1) {
      Head value;
      value.path = path;
      value.element = url_element();
      value.type = &member.type->type();
      rule = value_rule(value, values.front());
    } else if (!member.type->type().is_primitive()) {
      const std::string& first = values.front().steps[head.next].name;
      const bool one = std::all_of(values.begin(), values.end(), [&](const Item& item) {
        return item.steps[head.next].name == first && item.steps.size() > head.next + 1;
      });
      if (one) rule = object_of(path, " = ", "", member.type->type(), values, head.next + 1);
    }
    if (!rule || rule->constant) return all_by_hand(members, "an extension without a value"), std::nullopt;
    rule->rows.push_back(url->row);
    std::sort(rule->rows.begin(), rule->rows.end());
    out_.extensions.push_back(std::move(extension));
    return rule;
  }

  /// An extension of extensions, written out.
  std::optional<GuideRule> extension_object(const Head& head, const std::vector<const Item*>& members) {
    std::vector<Item> items;
    for (const Item* member : members) items.push_back(*member);
    const std::string path = (head.path.empty() ? "" : head.path + ".") + "extension";
    ++in_list_;
    auto rule = object_of(path, " += ", "", *fhir::find_type("Extension"), items, head.next);
    --in_list_;
    return rule;
  }

  /// Something that is neither list nor choice, which is how `ext(name)` is written.
  static const fhir::ElementDef* url_element() { return fhir::find_type("Extension")->element("url"); }

  std::optional<Value> literal_of(const GuideRow& row, std::string_view type) {
    const std::string_view text = row.assignment;
    const bool literal = text.size() > 2 && text.front() == '"' && text.back() == '"' &&
                         text.substr(1, text.size() - 2).find('"') == std::string_view::npos;
    if (!literal) return by_hand(row, "an assignment in prose"), std::nullopt;
    const std::string inner(text.substr(1, text.size() - 2));
    return Value{type == "boolean" || is_number(type) ? inner : quoted(inner), "", true};
  }

  std::optional<Value> value_of(const GuideRow& row, const fhir::TypeDef& type, bool list) {
    if (!row.assignment.empty()) {
      if (type.is_primitive()) return literal_of(row, type.name());
      return by_hand(row, "an assignment in prose"), std::nullopt;
    }
    const auto field = sources_.find(row.source, row.datatype);
    if (!field) return by_hand(row, "the source is no field of this segment"), std::nullopt;
    Value value;
    value.since = field->since;
    value.text = field->path + (field->repeats ? list ? "[*]" : "[1]" : "");
    if (field->repeats && !list && in_list_ > 0)
      return by_hand(row, "each repetition makes an element of its own"), std::nullopt;
    return type.is_primitive() ? plain(row, type, *field, std::move(value))
                               : converted(row, type, *field, std::move(value));
  }

  std::optional<Value> plain(const GuideRow& row, const fhir::TypeDef& type, const GuideSource& field,
                             Value value) {
    if (!row.vocabulary.empty() && type.name() != "boolean") {
      const std::string table = table_name(row.vocabulary);
      if (!names_.tables.contains(table)) return by_hand(row, "there is no such code table"), std::nullopt;
      if (value.text.ends_with("[*]")) return by_hand(row, "a list of codes"), std::nullopt;
      value.text += (field.composite ? ".1" : "") + std::string(" via ") + table + " else omit";
      return value;
    }
    const bool first = row.map == "CWE[code]" || row.map == "XON[string]" || row.map == "CX[string]";
    if (field.composite && !first) return by_hand(row, "a part of the field is chosen by hand"), std::nullopt;
    if (field.composite) value.text += ".1";
    if (is_number(type.name()) || type.name() == "instant") value.text += " as " + std::string(type.name());
    return value;
  }

  std::optional<Value> converted(const GuideRow& row, const fhir::TypeDef& type, const GuideSource& field,
                                 Value value) {
    const std::string name(type.name());
    if (name == "Reference" || name == "BackboneElement" || name.find('.') != std::string::npos)
      return by_hand(row, "makes or points to another resource"), std::nullopt;
    if (!names_.conversions.contains(bridged_datatype(field.datatype) + " -> " + name))
      return by_hand(row, "there is no such conversion"), std::nullopt;
    const std::size_t open = row.map.find('[');
    const bool variant = open != std::string::npos && row.map.find('-', open) != std::string::npos;
    if (variant) return by_hand(row, "a conversion of a special kind"), std::nullopt;
    if (name == "Coding" && field.composite && !row.vocabulary.empty()) value.text += ".1";
    if (row.vocabulary.empty()) return value;
    const std::string table = table_name(row.vocabulary);
    const bool coded = name == "CodeableConcept" || name == "Coding";
    if (!coded || !names_.tables.contains(table))
      return by_hand(row, "there is no such code table"), std::nullopt;
    value.text += " via " + table + (name == "Coding" ? " else omit" : " else keep");
    return value;
  }

  const RuleNames& names_;
  GuideSources sources_;
  Translation out_;
  std::vector<std::string> not_plain_;  ///< keys of rows that people decide
  std::vector<std::pair<std::string, const GuideRow*>> urls_;  ///< key of an extension and its row `url`
  int in_list_ = 0;                     ///< how many lists the object at hand lies in
};

/// Rules with one path are told apart by their rows.
void finish(Translation& made) {
  std::map<std::string, int> seen;
  for (GuideRule& rule : made.rules) {
    std::sort(rule.rows.begin(), rule.rows.end());
    if (!rule.condition.empty()) rule.text += " if " + rule.condition;
    if (const int before = seen[rule.path]++; before > 0)
      rule.text += " @row" + std::to_string(rule.rows.front());
  }
}

}  // namespace

Translation translate(const GuideSheet& sheet, const RuleNames& names,
                      const std::function<bool(int)>& left_out, std::string_view self) {
  Translation made = Translator(sheet, names, self).run(sheet, left_out);
  finish(made);
  return made;
}

}  // namespace kiln::mappings
