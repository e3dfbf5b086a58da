#include "fhir/validation/detail/compare.h"

#include <algorithm>

#include "engine/base/decimal.h"
#include "fhir/path/path.h"

namespace kiln::fhir::detail {
namespace {

bool same_value(Node a, Node b) {
  if (a.has_value() != b.has_value()) return false;
  if (!a.has_value()) return true;
  if (a.kind() == NodeKind::number && b.kind() == NodeKind::number) {
    const auto left = base::Decimal::parse(a.text()), right = base::Decimal::parse(b.text());
    if (left && right) return *left == *right;
  }
  return a.text() == b.text();
}

int sign(int value) { return value < 0 ? -1 : value > 0 ? 1 : 0; }

std::optional<int> compare_numbers(std::string_view a, std::string_view b) {
  const auto left = base::Decimal::parse(a), right = base::Decimal::parse(b);
  if (!left || !right) return std::nullopt;
  const auto order = left->compare(*right);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

/// Dates, times and instants as texts: in order when they have the same precision and zone, else by the part that both
/// have, when that differs.
std::optional<int> compare_dates(std::string_view a, std::string_view b) {
  constexpr std::size_t kDay = 10;
  if (a.size() == b.size()) {
    const bool same_zone = a.size() <= kDay || a.substr(19) == b.substr(19) ||
                           (a.size() > 19 && a.back() == b.back() && a.back() == 'Z');
    if (same_zone) return sign(a.compare(b));
  }
  const std::size_t common = std::min({a.size(), b.size(), kDay});
  const int order = sign(a.substr(0, common).compare(b.substr(0, common)));
  if (order != 0) return order;
  return std::nullopt;
}

/// Quantities of different units: FHIRPath converts.
std::optional<int> compare_units(Node a, Node b) {
  static const auto less = PathExpression::compile("%a < %b"), greater = PathExpression::compile("%a > %b");
  if (!less || !greater) return std::nullopt;
  PathEnvironment environment;
  environment.variables = {{"a", {PathItem::of(a)}}, {"b", {PathItem::of(b)}}};
  PathResult scratch;
  const auto before = less->holds(a, environment, scratch), after = greater->holds(a, environment, scratch);
  if (!before || !after || !*before || !*after) return std::nullopt;
  return **before ? -1 : **after ? 1 : 0;
}

}  // namespace

bool is_equal(Node a, Node b) {
  if (!same_value(a, b) || a.type() != b.type()) return false;
  auto left = a.begin(), right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    if ((*left).json_name() != (*right).json_name() || !is_equal(*left, *right)) return false;
  }
  return !(left != a.end()) && !(right != b.end());
}

bool matches_pattern(Node node, Node pattern) {
  if (!node || (pattern.has_value() && !same_value(node, pattern))) return false;
  for (const Node wanted : pattern) {
    bool found = false;
    for (const Node child : node) {
      if (child.json_name() == wanted.json_name() && matches_pattern(child, wanted)) found = true;
    }
    if (!found) return false;
  }
  return true;
}

std::optional<int> compare_values(Node a, Node b) {
  if (!a.type() || !b.type()) return std::nullopt;
  if (a.type()->is_a("Quantity") && b.type()->is_a("Quantity")) {
    const bool same_unit = a["code"].text() == b["code"].text() && a["system"].text() == b["system"].text() &&
                           (a["code"] || a["unit"].text() == b["unit"].text());
    return same_unit ? compare_numbers(a["value"].text(), b["value"].text()) : compare_units(a, b);
  }
  if (!a.has_value() || !b.has_value()) return std::nullopt;
  if (a.kind() == NodeKind::number) return compare_numbers(a.text(), b.text());
  const std::string_view type = a.type()->name();
  if (type == "date" || type == "dateTime" || type == "instant" || type == "time")
    return compare_dates(a.text(), b.text());
  return sign(a.text().compare(b.text()));
}

}  // namespace kiln::fhir::detail
