#include "fhir/patch/detail/json_value.h"

#include <algorithm>

#include "engine/base/decimal.h"
#include "engine/base/json.h"

namespace kiln::fhir::detail {

JsonValue* JsonValue::member(std::string_view name) {
  for (auto& [key, value] : members)
    if (key == name) return &value;
  return nullptr;
}

JsonValue::Size JsonValue::size() const {
  Size total{1, 1, text.size() + 8};
  const auto add = [&total](const Size& part) {
    total.values += part.values;
    total.bytes += part.bytes;
    total.height = std::max(total.height, part.height + 1);
  };
  for (const auto& [key, value] : members) {
    total.bytes += key.size();
    add(value.size());
  }
  for (const JsonValue& item : items) add(item.size());
  return total;
}

JsonValue to_value(Node node) {
  JsonValue value;
  value.kind = node.kind();
  value.text = node.text();
  if (node.kind() == NodeKind::array) {
    for (const Node item : node) value.items.push_back(to_value(item));
    return value;
  }
  for (const Node child : node) {
    if (!child.is_list_item()) {
      value.members.push_back({std::string(child.name()), to_value(child)});
      continue;
    }
    // Items of one array follow each other.
    if (value.members.empty() || value.members.back().name != child.name()) {
      value.members.push_back({std::string(child.name()), JsonValue()});
      value.members.back().value.kind = NodeKind::array;
    }
    value.members.back().value.items.push_back(to_value(child));
  }
  return value;
}

void append_value(std::string& out, const JsonValue& value) {
  switch (value.kind) {
    case NodeKind::string:
      return base::append_json_string(out, value.text);
    case NodeKind::number:
    case NodeKind::boolean:
      out += value.text;
      return;
    case NodeKind::array: {
      out += '[';
      bool first = true;
      for (const JsonValue& item : value.items) {
        if (!first) out += ',';
        first = false;
        append_value(out, item);
      }
      out += ']';
      return;
    }
    case NodeKind::object: {
      out += '{';
      bool first = true;
      for (const auto& [name, member] : value.members) {
        if (!first) out += ',';
        first = false;
        base::append_json_string(out, name);
        out += ':';
        append_value(out, member);
      }
      out += '}';
      return;
    }
    default:
      out += "null";
  }
}

bool same_value(const JsonValue& a, const JsonValue& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case NodeKind::number: {
      if (a.text == b.text) return true;
      const auto left = base::Decimal::parse(a.text), right = base::Decimal::parse(b.text);
      return left && right && *left == *right;
    }
    case NodeKind::array:
      return a.items.size() == b.items.size() &&
             std::equal(a.items.begin(), a.items.end(), b.items.begin(), same_value);
    case NodeKind::object: {
      if (a.members.size() != b.members.size()) return false;
      std::vector<std::pair<std::string_view, const JsonValue*>> left, right;
      for (const auto& [name, value] : a.members) left.emplace_back(name, &value);
      for (const auto& [name, value] : b.members) right.emplace_back(name, &value);
      const auto by_name = [](const auto& x, const auto& y) { return x.first < y.first; };
      std::sort(left.begin(), left.end(), by_name);
      std::sort(right.begin(), right.end(), by_name);
      return std::equal(left.begin(), left.end(), right.begin(), [](const auto& x, const auto& y) {
        return x.first == y.first && same_value(*x.second, *y.second);
      });
    }
    default:
      return a.text == b.text;
  }
}

}  // namespace kiln::fhir::detail
