// lowBoundary, highBoundary, precision, comparable of the FHIRPath additions (STU §5.7).

#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/temporal.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir {
namespace {

using namespace detail;
using base::Decimal;

constexpr int kDefaultDigits = 8, kDigitsMax = 31;

int places_of(std::string_view text) {
  const std::size_t point = text.find('.');
  return point == std::string_view::npos ? 0 : static_cast<int>(text.size() - point - 1);
}

/// The end of the range that a decimal with its digits stands for, to `digits` places. Away from zero it is
/// rounded, toward zero cut off, as the official suite has it; a negative zero keeps its sign.
std::string decimal_boundary(const Decimal& value, int places, int digits, bool high) {
  const Decimal half = *Decimal::parse("5e-" + std::to_string(places + 1));
  const Decimal edge = high ? value + half : value - half;
  const bool outward = high != value.is_negative();
  std::string text;
  if (outward || edge.scale() <= digits) {
    text = edge.round(digits).print();
  } else {
    text = edge.print();
    const std::size_t point = text.find('.');
    text.resize(digits == 0 ? point : point + 1 + static_cast<std::size_t>(digits));
  }
  if (value.is_negative() && !text.starts_with('-')) text.insert(0, "-");
  return text;
}

bool boundary_of(PathCall& call, bool high) {
  PathItem item;
  bool found = false, has_digits = false;
  std::int64_t digits = 0;
  if (!call.one(call.input, item, found)) return false;
  if (call.arg_count() != 0 && !call.arg_integer(0, digits, has_digits)) return false;
  if (!found) return true;
  switch (item.kind()) {
    case PathKind::integer:
    case PathKind::decimal: {
      if (!has_digits) digits = kDefaultDigits;
      const std::string text = print_item(item);
      const auto value = Decimal::parse(text);
      if (!value || digits < 0 || digits > kDigitsMax) return true;
      return call.give(call.ev.text_item(
          PathKind::decimal, decimal_boundary(*value, value->scale() > 0 ? value->scale() : places_of(text),
                                              static_cast<int>(digits), high)));
    }
    case PathKind::quantity: {
      if (!has_digits) digits = kDefaultDigits;
      const PathQuantity& quantity = item.quantity();
      const auto value = Decimal::parse(quantity.value);
      if (!value || digits < 0 || digits > kDigitsMax) return true;
      return call.give(
          call.ev.quantity_item(decimal_boundary(*value, value->scale(), static_cast<int>(digits), high),
                                quantity.unit, quantity.calendar));
    }
    case PathKind::date:
    case PathKind::date_time:
    case PathKind::time: {
      if (!has_digits) digits = item.is(PathKind::date) ? 8 : item.is(PathKind::time) ? 9 : 17;
      if (digits < 0 || digits > 17) return true;
      const auto edge = boundary(item.kind(), item.date(), static_cast<int>(digits), high);
      return !edge || call.give(call.ev.date_item(item.kind(), *edge));
    }
    default:
      return call.fail("not for " + type_name(item));
  }
}

bool low_boundary(PathCall& call) {
  return boundary_of(call, false);
}
bool high_boundary(PathCall& call) {
  return boundary_of(call, true);
}

bool precision(PathCall& call) {
  PathItem item;
  bool found = false;
  if (!call.one(call.input, item, found)) return false;
  if (!found) return true;
  switch (item.kind()) {
    case PathKind::integer:
      return call.give_integer(0);
    case PathKind::decimal:
      return call.give_integer(places_of(item.text()));
    case PathKind::date:
    case PathKind::date_time:
    case PathKind::time:
      return call.give_integer(precision_of(item.kind(), item.date()));
    default:
      return call.fail("not for " + type_name(item));
  }
}

/// Whether the units of two quantities can be converted into each other.
bool comparable(PathCall& call) {
  Collection items = call.ev.make();
  PathItem a, b;
  bool found = false, has_other = false;
  if (!call.one_of(PathKind::quantity, call.input, a, found) || !call.arg(0, items) ||
      !call.one_of(PathKind::quantity, items, b, has_other))
    return false;
  if (!found || !has_other) return true;
  const auto code = [](const PathQuantity& quantity) {
    return quantity.calendar ? definite_unit(quantity.unit) : quantity.unit;
  };
  if (a.quantity().unit == b.quantity().unit) return call.give(true);
  const auto unit_a = parse_unit(code(a.quantity())), unit_b = parse_unit(code(b.quantity()));
  return call.give(unit_a && unit_b && are_comparable(*unit_a, *unit_b));
}

}  // namespace

const PathFunctionGroup& boundaries_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"lowBoundary", 0, 1, 0, S::any, S::same, low_boundary},
      {"highBoundary", 0, 1, 0, S::any, S::same, high_boundary},
      {"precision", 0, 0, 0, S::any, S::integer, precision},
      {"comparable", 1, 1, 0, S::quantity, S::boolean, comparable},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
