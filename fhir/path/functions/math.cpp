// N1 §5.7 mathematics. Sums, rounding, integer powers and square roots are exact; exp, ln, log and other
// powers have the 18 digits of long double.

#include <cmath>
#include <cstdio>

#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;
using base::Decimal;

/// The one number of the input as a decimal.
bool number(PathCall& call, PathItem& item, std::optional<Decimal>& value) {
  bool found = false;
  if (!call.one(call.input, item, found)) return false;
  if (!found) return true;
  if (!item.is(PathKind::integer) && !item.is(PathKind::decimal))
    return call.fail("not for " + type_name(item));
  value = decimal_of(item);
  return value || call.fail("the number has too many digits to calculate with");
}

bool arg_number(PathCall& call, std::size_t index, std::optional<Decimal>& value) {
  Collection items = call.ev.make();
  PathItem item;
  bool found = false;
  if (!call.arg(index, items) || !call.one(items, item, found)) return false;
  if (!found) return true;
  value = decimal_of(item);
  return value || call.fail("the argument is no number");
}

bool abs(PathCall& call) {
  PathItem item;
  bool found = false;
  if (!call.one(call.input, item, found)) return false;
  if (!found) return true;
  const auto positive = [](std::string_view text) { return text.starts_with('-') ? text.substr(1) : text; };
  if (item.is(PathKind::integer))
    return call.give_integer(item.integer() < 0 ? -item.integer() : item.integer());
  if (item.is(PathKind::decimal))
    return call.give(PathItem::of_text(PathKind::decimal, positive(item.text())));
  if (!item.is(PathKind::quantity)) return call.fail("not for " + type_name(item));
  const PathQuantity& quantity = item.quantity();
  return call.give(call.ev.quantity_item(positive(quantity.value), quantity.unit, quantity.calendar));
}

enum class Direction { toward_zero, down, up };

bool whole(PathCall& call, Direction direction) {
  PathItem item;
  std::optional<Decimal> value;
  if (!number(call, item, value)) return false;
  if (!value) return true;
  const std::string text = value->print();
  auto integer = *Decimal::parse(std::string_view(text).substr(0, text.find('.')));
  if (!value->is_integer()) {
    if (direction == Direction::up && !value->is_negative()) integer = integer + Decimal(1);
    if (direction == Direction::down && value->is_negative()) integer = integer - Decimal(1);
  }
  const auto small = integer.to_int64();
  return !small || call.give_integer(*small);
}
bool ceiling(PathCall& call) {
  return whole(call, Direction::up);
}
bool floor(PathCall& call) {
  return whole(call, Direction::down);
}
bool truncate(PathCall& call) {
  return whole(call, Direction::toward_zero);
}

bool round(PathCall& call) {
  PathItem item;
  std::optional<Decimal> value;
  std::int64_t digits = 0;
  bool has_digits = false;
  if (!number(call, item, value)) return false;
  if (call.arg_count() != 0 && !call.arg_integer(0, digits, has_digits)) return false;
  if (!value) return true;
  if (digits < 0 || digits > 100) return call.fail("the number of places is out of range");
  if (item.is(PathKind::integer)) return call.give(item);
  return call.give(
      call.ev.decimal_item(value->scale() <= digits ? *value : value->round(static_cast<int>(digits))));
}

/// Newton's method on decimals: exact when the root is, else 32 places.
bool sqrt(PathCall& call) {
  PathItem item;
  std::optional<Decimal> value;
  if (!number(call, item, value)) return false;
  if (!value || value->is_negative()) return true;
  if (value->is_zero()) return call.give(call.ev.decimal_item(Decimal(0)));
  constexpr int kPlaces = 32;
  const std::string text = value->print();
  // The start: a power of ten above the root.
  Decimal root =
      *Decimal::parse("1e" + std::to_string(text.find('.') == std::string::npos ? text.size() / 2 + 1
                                                                                : text.find('.') / 2 + 1));
  for (int i = 0; i < 400; ++i) {
    if (!call.ev.step(10)) return false;
    const auto next = *(root + *value->divide(root, kPlaces + 4)).divide(Decimal(2), kPlaces + 4);
    if (next.compare(root) >= 0) break;
    root = next;
  }
  return call.give(call.ev.text_item(PathKind::decimal, trimmed_decimal(root.round(kPlaces))));
}

long double to_float(const Decimal& value) {
  return std::strtold(value.print().c_str(), nullptr);
}

bool give_float(PathCall& call, long double value) {
  if (!std::isfinite(value)) return true;
  char text[64];
  std::snprintf(text, sizeof text, "%.17Le", value);
  const auto exact = Decimal::parse(text);
  return !exact || call.give(call.ev.text_item(PathKind::decimal, trimmed_decimal(*exact)));
}

bool exp(PathCall& call) {
  PathItem item;
  std::optional<Decimal> value;
  return number(call, item, value) && (!value || give_float(call, std::exp(to_float(*value))));
}
bool ln(PathCall& call) {
  PathItem item;
  std::optional<Decimal> value;
  if (!number(call, item, value)) return false;
  return !value || value->is_negative() || value->is_zero() || give_float(call, std::log(to_float(*value)));
}
bool log(PathCall& call) {
  PathItem item;
  std::optional<Decimal> value, base;
  if (!number(call, item, value) || !arg_number(call, 0, base)) return false;
  if (!value || !base || value->is_negative() || value->is_zero() || base->is_negative() || base->is_zero())
    return true;
  return give_float(call, std::log2(to_float(*value)) / std::log2(to_float(*base)));
}

bool power(PathCall& call) {
  PathItem item;
  std::optional<Decimal> value, exponent;
  if (!number(call, item, value) || !arg_number(call, 0, exponent)) return false;
  if (!value || !exponent) return true;
  const auto times = exponent->to_int64();
  if (!times || *times > 400 || *times < -400) {
    const long double result = std::pow(to_float(*value), to_float(*exponent));
    return give_float(call, result);
  }
  Decimal result(1);
  for (std::int64_t i = 0; i < (*times < 0 ? -*times : *times); ++i) {
    result = result * *value;
    if (result.print().size() > base::limits::kPathDigitsMax) return true;
  }
  if (*times < 0) {
    const auto inverse = Decimal(1).divide(result, 32);
    return !inverse || call.give(call.ev.text_item(PathKind::decimal, trimmed_decimal(*inverse)));
  }
  const auto small = result.to_int64();
  if (item.is(PathKind::integer) && small && *small <= 2'147'483'647LL && *small >= -2'147'483'648LL)
    return call.give_integer(*small);
  return call.give(call.ev.decimal_item(result));
}

}  // namespace

const PathFunctionGroup& math_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"abs", 0, 0, 0, S::any, S::same, abs},          {"ceiling", 0, 0, 0, S::number, S::integer, ceiling},
      {"exp", 0, 0, 0, S::number, S::decimal, exp},    {"floor", 0, 0, 0, S::number, S::integer, floor},
      {"ln", 0, 0, 0, S::number, S::decimal, ln},      {"log", 1, 1, 0, S::number, S::decimal, log},
      {"power", 1, 1, 0, S::number, S::number, power}, {"round", 0, 1, 0, S::number, S::number, round},
      {"sqrt", 0, 0, 0, S::number, S::decimal, sqrt},  {"truncate", 0, 0, 0, S::number, S::integer, truncate},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
