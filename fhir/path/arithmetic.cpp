#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/temporal.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir::detail {
namespace {

using base::Decimal;

/// Places of a quotient that does not end earlier.
constexpr int kQuotientPlaces = 32;

bool is_number(const PathItem& item) {
  return item.is(PathKind::integer) || item.is(PathKind::decimal);
}
bool is_temporal(const PathItem& item) {
  return item.is(PathKind::date) || item.is(PathKind::date_time) || item.is(PathKind::time);
}

/// N1 §6.6: an Integer has 32 bits; what does not fit is nothing.
bool fits_integer(std::int64_t value) {
  return value >= -2'147'483'648LL && value <= 2'147'483'647LL;
}

std::optional<Decimal> truncated(const Decimal& value) {
  const std::string text = value.print();
  return Decimal::parse(std::string_view(text).substr(0, text.find('.')));
}

std::optional<Decimal> quotient(const Decimal& a, const Decimal& b) {
  auto out = a.divide(b, kQuotientPlaces);
  if (!out) return std::nullopt;
  return Decimal::parse(trimmed_decimal(*out));
}

/// Nothing when the result has more digits than can be calculated with.
void give(Evaluator& ev, const std::optional<Decimal>& value, Collection& out) {
  if (!value) return;
  const std::string text = value->print();
  if (text.size() <= base::limits::kPathDigitsMax) out.push(ev.text_item(PathKind::decimal, text));
}

std::optional<Decimal> calculate(PathOp op, const Decimal& a, const Decimal& b) {
  switch (op) {
    case PathOp::add:
      return a + b;
    case PathOp::subtract:
      return a - b;
    case PathOp::multiply:
      return a * b;
    case PathOp::divide:
      return quotient(a, b);
    case PathOp::div: {
      const auto whole = a.divide(b, kQuotientPlaces);
      return whole ? truncated(*whole) : std::nullopt;
    }
    case PathOp::mod: {
      const auto whole = a.divide(b, kQuotientPlaces);
      const auto times = whole ? truncated(*whole) : std::nullopt;
      return times ? std::optional(a - *times * b) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

bool integers(PathOp op, std::int64_t a, std::int64_t b, Evaluator& ev, Collection& out) {
  std::int64_t result = 0;
  switch (op) {
    case PathOp::add:
      result = a + b;
      break;
    case PathOp::subtract:
      result = a - b;
      break;
    case PathOp::multiply:
      if (__builtin_mul_overflow(a, b, &result)) return true;
      break;
    case PathOp::divide:
      give(ev, quotient(Decimal(a), Decimal(b)), out);
      return true;
    default:
      if (b == 0) return true;
      result = op == PathOp::div ? a / b : a % b;
  }
  if (fits_integer(result)) out.push(PathItem::of_integer(result));
  return true;
}

/// date ± quantity (N1 §6.7.1). Units from days down may be written in UCUM; years and months only as
/// calendar words.
bool move_date(PathOp op, const PathItem& date, const PathQuantity& by, Evaluator& ev, Collection& out) {
  std::string_view word = by.calendar ? by.unit : calendar_word(by.unit);
  if (word.empty()) {
    for (const std::string_view known : {"week", "day", "hour", "minute", "second", "millisecond"})
      if (definite_unit(known) == by.unit) word = known;
  }
  if (word.empty()) return ev.fail("a date or time is moved by a quantity without a unit of time");
  const auto value = Decimal::parse(by.value);
  const auto whole = value ? truncated(*value) : std::nullopt;
  const auto count = whole ? whole->to_int64() : std::nullopt;
  if (!count) return true;
  const auto moved = add_to_date(date.kind(), date.date(), op == PathOp::subtract ? -*count : *count, word);
  if (moved) {
    out.push(ev.date_item(date.kind(), *moved));
    return true;
  }
  if (date.is(PathKind::time) && (word == "year" || word == "month" || word == "week" || word == "day"))
    return ev.fail("a time of day is moved by a quantity without a time of day");
  return true;
}

bool quantities(PathOp op, const PathQuantity& a, const PathQuantity& b, Evaluator& ev, Collection& out) {
  const auto left = Decimal::parse(a.value), right = Decimal::parse(b.value);
  if (!left || !right) return true;
  const auto code = [](const PathQuantity& quantity) {
    const std::string_view definite = quantity.calendar ? definite_unit(quantity.unit) : quantity.unit;
    return definite.empty() ? quantity.unit : definite;
  };
  const bool same = a.unit == b.unit && a.calendar == b.calendar;
  const auto unit_a = parse_unit(code(a)), unit_b = parse_unit(code(b));
  if (op == PathOp::add || op == PathOp::subtract) {
    if (same) {
      out.push(ev.quantity_item(calculate(op, *left, *right)->print(), a.unit, a.calendar));
      return true;
    }
    if (!unit_a || !unit_b || !are_comparable(*unit_a, *unit_b)) return true;
    const auto converted =
        Decimal::parse(trimmed_decimal(convert_unit(*right, *unit_b, *unit_a, kQuotientPlaces)));
    if (converted) out.push(ev.quantity_item(calculate(op, *left, *converted)->print(), a.unit, a.calendar));
    return true;
  }
  if (op != PathOp::multiply && op != PathOp::divide) return ev.fail("this operator is not for quantities");
  if (op == PathOp::divide && same) {
    const auto ratio = quotient(*left, *right);
    if (ratio) out.push(ev.quantity_item(ratio->print(), "1", false));
    return true;
  }
  if (!unit_a || !unit_b) return true;
  const auto unit =
      op == PathOp::multiply ? multiply_units(*unit_a, *unit_b) : divide_units(*unit_a, *unit_b);
  auto value = unit ? calculate(op, *left, *right) : std::nullopt;
  if (value) value = (*value * unit->numerator).divide(unit->denominator, 40);
  if (value) out.push(ev.quantity_item(trimmed_decimal(*value), base_units(*unit), false));
  return true;
}

}  // namespace

bool Evaluator::arithmetic(PathOp op, const PathItem& a, const PathItem& b, Collection& out) {
  if (!step()) return false;
  if (a.is(PathKind::integer) && b.is(PathKind::integer))
    return integers(op, a.integer(), b.integer(), *this, out);
  if (is_number(a) && is_number(b)) {
    const auto left = decimal_of(a), right = decimal_of(b);
    if (!left || !right) return fail("a number has too many digits to calculate with");
    const auto result = calculate(op, *left, *right);
    if (op == PathOp::div && result) {
      const auto whole = result->to_int64();
      if (whole && fits_integer(*whole)) out.push(PathItem::of_integer(*whole));
      return true;
    }
    give(*this, result, out);
    return true;
  }
  if (op == PathOp::add && a.is(PathKind::string) && b.is(PathKind::string)) {
    if (!may_make(a.text().size() + b.text().size())) return false;
    out.push(text_item(PathKind::string, std::string(a.text()).append(b.text())));
    return true;
  }
  if (is_temporal(a) && b.is(PathKind::quantity) && (op == PathOp::add || op == PathOp::subtract))
    return move_date(op, a, b.quantity(), *this, out);
  if (a.is(PathKind::quantity) && b.is(PathKind::quantity))
    return quantities(op, a.quantity(), b.quantity(), *this, out);
  if (op == PathOp::multiply || op == PathOp::divide) {
    if (a.is(PathKind::quantity) && is_number(b)) {
      const auto left = Decimal::parse(a.quantity().value), right = decimal_of(b);
      const auto result = left && right ? calculate(op, *left, *right) : std::nullopt;
      if (result) out.push(quantity_item(result->print(), a.quantity().unit, a.quantity().calendar));
      return true;
    }
    if (b.is(PathKind::quantity) && is_number(a)) {
      if (op == PathOp::multiply) return arithmetic(op, b, a, out);
      return quantities(op, PathQuantity{arena_.copy(print_item(a)), "1", false}, b.quantity(), *this, out);
    }
  }
  // A primitive without a value is nothing to calculate with.
  if ((a.is(PathKind::node) && !a.node().is_object()) || (b.is(PathKind::node) && !b.node().is_object()))
    return true;
  return fail("an operator is not for these types: " + type_name(a) + " and " + type_name(b));
}

}  // namespace kiln::fhir::detail
