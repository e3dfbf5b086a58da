#include <algorithm>

#include "engine/base/text.h"
#include "fhir/path/detail/case.h"
#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/temporal.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir::detail {
namespace {

using base::Decimal;

/// Trees that are deeper than this are not compared; no reader makes one.
constexpr unsigned kCompareDepthMax = 400;

bool is_number(const PathItem& item) {
  return item.is(PathKind::integer) || item.is(PathKind::decimal);
}
bool is_moment(const PathItem& item) {
  return item.is(PathKind::date) || item.is(PathKind::date_time);
}

/// How two quantities relate; nothing when their units tell nothing about it.
struct QuantityPair {
  bool comparable = false;
  Decimal a, b;  ///< in one unit, when comparable
  std::optional<Unit> unit_a, unit_b;
};

std::string_view unit_of(const PathQuantity& quantity, bool& indefinite) {
  if (!quantity.calendar) return quantity.unit;
  const std::string_view definite = definite_unit(quantity.unit);
  indefinite = indefinite || definite.empty();
  return definite.empty() ? quantity.unit : definite;
}

/// Years and months are comparable with each other, but with no definite duration (N1 §2.1.9 note).
std::optional<Decimal> months_of(const PathQuantity& quantity) {
  const auto value = Decimal::parse(quantity.value);
  if (!value || !quantity.calendar) return std::nullopt;
  if (quantity.unit == "year") return *value * Decimal(12);
  return quantity.unit == "month" ? value : std::nullopt;
}

QuantityPair pair_up(const PathQuantity& a, const PathQuantity& b) {
  QuantityPair pair;
  const auto value_a = Decimal::parse(a.value), value_b = Decimal::parse(b.value);
  if (!value_a || !value_b) return pair;
  bool indefinite = false;
  const std::string_view unit_a = unit_of(a, indefinite), unit_b = unit_of(b, indefinite);
  pair.a = *value_a;
  pair.b = *value_b;
  if (indefinite) {
    const auto months_a = months_of(a), months_b = months_of(b);
    pair.comparable = months_a && months_b;
    if (pair.comparable) {
      pair.a = *months_a;
      pair.b = *months_b;
    }
    return pair;
  }
  if (unit_a == unit_b) {
    pair.comparable = true;
    return pair;
  }
  pair.unit_a = parse_unit(unit_a);
  pair.unit_b = parse_unit(unit_b);
  pair.comparable = pair.unit_a && pair.unit_b && are_comparable(*pair.unit_a, *pair.unit_b);
  return pair;
}

int order_of(const QuantityPair& pair) {
  const auto order =
      pair.unit_a ? compare_units(pair.a, *pair.unit_a, pair.b, *pair.unit_b) : pair.a.compare(pair.b);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

/// Equal when rounded to the digits of the one that has fewer (N1 §6.1.2). Zeros at the end of a fraction do
/// not count.
bool roughly_equal(const Decimal& a, const Decimal& b) {
  const auto places = [](const Decimal& value) {
    const std::string text = trimmed_decimal(value);
    const std::size_t point = text.find('.');
    return point == std::string::npos ? 0 : static_cast<int>(text.size() - point - 1);
  };
  const int digits = std::min(places(a), places(b));
  return a.round(digits) == b.round(digits);
}

bool equal_numbers(const PathItem& a, const PathItem& b) {
  if (a.is(PathKind::integer) && b.is(PathKind::integer)) return a.integer() == b.integer();
  const auto left = decimal_of(a), right = decimal_of(b);
  // Beyond what can be calculated with, only the same text is the same number.
  return left && right ? *left == *right : print_item(a) == print_item(b);
}

/// As the definitions have it, both primitives or both the same structure.
bool has_content(Node node) {
  return node.has_value() || static_cast<bool>(node.first_child());
}

}  // namespace

bool Evaluator::equal(const PathItem& first, const PathItem& second, Tri& out) {
  if (!step()) return false;
  const PathItem a = value(first), b = value(second);
  out = Tri::no;
  if (is_number(a) && is_number(b)) {
    out = tri(equal_numbers(a, b));
    return true;
  }
  if (is_moment(a) && is_moment(b)) {
    out = equal_dates(a.date(), b.date());
    return true;
  }
  if (a.kind() != b.kind()) {
    // 1 = 1 '1': a number is a quantity of the unit "1".
    if (is_number(a) && b.is(PathKind::quantity))
      return equal(quantity_item(print_item(a), "1", false), b, out);
    if (is_number(b) && a.is(PathKind::quantity))
      return equal(a, quantity_item(print_item(b), "1", false), out);
    return true;
  }
  switch (a.kind()) {
    case PathKind::boolean:
      out = tri(a.boolean() == b.boolean());
      return true;
    case PathKind::string:
      out = tri(a.text() == b.text());
      return true;
    case PathKind::time:
      out = equal_dates(a.date(), b.date());
      return true;
    case PathKind::quantity: {
      const QuantityPair pair = pair_up(a.quantity(), b.quantity());
      out = pair.comparable ? tri(order_of(pair) == 0) : Tri::empty;
      return true;
    }
    case PathKind::type:
      out = tri(a.type().space == b.type().space && a.type().name == b.type().name);
      return true;
    default:
      return deep_equal(a.node(), b.node(), out);
  }
}

bool Evaluator::deep_equal(Node a, Node b, Tri& out) {
  out = Tri::yes;
  if (a == b) return true;
  if (a.kind() != b.kind() || has_content(a) != has_content(b)) {
    out = Tri::no;
    return true;
  }
  if (++compare_depth_ > kCompareDepthMax) return over_budget();
  Node left = a.first_child(), right = b.first_child();
  for (; left && right; left = left.next_sibling(), right = right.next_sibling()) {
    Tri same = Tri::no;
    if (left.name() == right.name() && !equal(PathItem::of(left), PathItem::of(right), same)) return false;
    if (same == Tri::no) {
      out = Tri::no;
      break;
    }
    if (same == Tri::empty) out = Tri::empty;
  }
  if (static_cast<bool>(left) != static_cast<bool>(right) && out != Tri::no) out = Tri::no;
  --compare_depth_;
  return true;
}

bool Evaluator::equal(const Collection& a, const Collection& b, Tri& out) {
  out = Tri::empty;
  if (a.empty() || b.empty()) return true;
  out = Tri::no;
  if (a.size() != b.size()) return true;
  bool unknown = false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    Tri same = Tri::no;
    if (!equal(a[i], b[i], same)) return false;
    if (same == Tri::no) return true;
    unknown = unknown || same == Tri::empty;
  }
  out = unknown ? Tri::empty : Tri::yes;
  return true;
}

bool Evaluator::equivalent(const PathItem& first, const PathItem& second, bool& out) {
  if (!step()) return false;
  const PathItem a = value(first), b = value(second);
  out = false;
  if (is_number(a) && is_number(b)) {
    const auto left = decimal_of(a), right = decimal_of(b);
    out = left && right ? roughly_equal(*left, *right) : print_item(a) == print_item(b);
    return true;
  }
  if ((is_moment(a) && is_moment(b)) || (a.is(PathKind::time) && b.is(PathKind::time))) {
    out = equivalent_dates(a.date(), b.date());
    return true;
  }
  if (a.is(PathKind::string) && b.is(PathKind::string)) {
    out = folded_text(a.text()) == folded_text(b.text());
    return true;
  }
  if (a.is(PathKind::quantity) && b.is(PathKind::quantity)) {
    const QuantityPair pair = pair_up(a.quantity(), b.quantity());
    // A calendar year or month is equivalent to the UCUM unit of that name, though not equal to it.
    const auto same_word = [](const PathQuantity& word, const PathQuantity& unit) {
      return word.calendar && !unit.calendar &&
             ((word.unit == "year" && unit.unit == "a") || (word.unit == "month" && unit.unit == "mo"));
    };
    if (!pair.comparable) {
      out = (same_word(a.quantity(), b.quantity()) || same_word(b.quantity(), a.quantity())) &&
            roughly_equal(pair.a, pair.b);
      return true;
    }
    if (!pair.unit_a) {
      out = roughly_equal(pair.a, pair.b);
      return true;
    }
    out = order_of(pair) == 0 || roughly_equal(pair.a, convert_unit(pair.b, *pair.unit_b, *pair.unit_a)) ||
          roughly_equal(convert_unit(pair.a, *pair.unit_a, *pair.unit_b), pair.b);
    return true;
  }
  if (a.kind() != b.kind()) return true;
  if (a.is(PathKind::node)) return deep_equivalent(a.node(), b.node(), out);
  Tri same = Tri::no;
  if (!equal(a, b, same)) return false;
  out = same == Tri::yes;
  return true;
}

/// Children in any order; ids are not compared.
bool Evaluator::deep_equivalent(Node a, Node b, bool& out) {
  out = true;
  if (a == b) return true;
  out = false;
  if (a.kind() != b.kind() || has_content(a) != has_content(b)) return true;
  Collection left = make(), right = make();
  for (const Node child : a) left.push(PathItem::of(child));
  for (const Node child : b) right.push(PathItem::of(child));
  if (++compare_depth_ > kCompareDepthMax) return over_budget();
  const bool done = equivalent(left, right, out);
  --compare_depth_;
  return done;
}

bool Evaluator::equivalent(const Collection& a, const Collection& b, bool& out) {
  out = false;
  if (a.size() != b.size()) return true;
  std::vector<bool> used(b.size());
  for (const PathItem& item : a) {
    bool found = false;
    for (std::size_t i = 0; i < b.size() && !found; ++i) {
      if (used[i]) continue;
      // Elements only match elements of their name.
      if (item.is(PathKind::node) && b[i].is(PathKind::node) && compare_depth_ > 0 &&
          item.node().name() != b[i].node().name())
        continue;
      if (!equivalent(item, b[i], found)) return false;
      if (found) used[i] = true;
    }
    if (!found) return true;
  }
  out = true;
  return true;
}

bool Evaluator::order(const PathItem& a, const PathItem& b, std::optional<int>& out) {
  out.reset();
  if (!step()) return false;
  if (is_number(a) && is_number(b)) {
    if (a.is(PathKind::integer) && b.is(PathKind::integer)) {
      out = a.integer() < b.integer() ? -1 : a.integer() > b.integer() ? 1 : 0;
      return true;
    }
    const auto left = decimal_of(a), right = decimal_of(b);
    if (!left || !right) return fail("a number has too many digits to compare");
    const auto order = left->compare(*right);
    out = order < 0 ? -1 : order > 0 ? 1 : 0;
    return true;
  }
  if (a.is(PathKind::string) && b.is(PathKind::string)) {
    const int order = a.text().compare(b.text());
    out = order < 0 ? -1 : order > 0 ? 1 : 0;
    return true;
  }
  if ((is_moment(a) && is_moment(b)) || (a.is(PathKind::time) && b.is(PathKind::time))) {
    out = order_dates(a.date(), b.date());
    return true;
  }
  if (a.is(PathKind::quantity) && b.is(PathKind::quantity)) {
    const QuantityPair pair = pair_up(a.quantity(), b.quantity());
    if (pair.comparable) out = order_of(pair);
    return true;
  }
  if (is_number(a) && b.is(PathKind::quantity))
    return order(quantity_item(print_item(a), "1", false), b, out);
  if (is_number(b) && a.is(PathKind::quantity))
    return order(a, quantity_item(print_item(b), "1", false), out);
  // A primitive without a value is nothing to compare.
  if ((a.is(PathKind::node) && !a.node().is_object()) || (b.is(PathKind::node) && !b.node().is_object()))
    return true;
  return fail("values of these types have no order: " + type_name(a) + " and " + type_name(b));
}

}  // namespace kiln::fhir::detail
