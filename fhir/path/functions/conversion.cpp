// N1 §5.5 conversion: toX() and convertsToX(), iif().

#include "fhir/path/detail/case.h"
#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/lexer.h"
#include "fhir/path/detail/temporal.h"
#include "fhir/units/ucum.h"

namespace kiln::fhir {
namespace {

using namespace detail;
using base::Decimal;

/// A conversion: true when `from` has a value in the wanted type.
using Convert = bool (*)(Evaluator& ev, const PathItem& from, PathItem& to);

bool is_integer_text(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}
/// (\+|-)?\d+(\.\d+)?
bool is_decimal_text(std::string_view text) {
  const std::size_t point = text.find('.');
  if (!is_integer_text(text.substr(0, point))) return false;
  if (point == std::string_view::npos) return true;
  const std::string_view fraction = text.substr(point + 1);
  return !fraction.empty() && fraction.find_first_not_of("0123456789") == std::string_view::npos;
}

bool to_boolean(Evaluator&, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::boolean)) {
    to = from;
    return true;
  }
  if (from.is(PathKind::string)) {
    const std::string text = lower_text(from.text());
    for (const char* yes : {"true", "t", "yes", "y", "1", "1.0"}) {
      if (text != yes) continue;
      to = PathItem::of_boolean(true);
      return true;
    }
    for (const char* no : {"false", "f", "no", "n", "0", "0.0"}) {
      if (text != no) continue;
      to = PathItem::of_boolean(false);
      return true;
    }
    return false;
  }
  const auto number = decimal_of(from);
  if (!number || !(number->is_zero() || *number == Decimal(1))) return false;
  to = PathItem::of_boolean(!number->is_zero());
  return true;
}

bool to_integer(Evaluator&, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::integer)) {
    to = from;
    return true;
  }
  if (from.is(PathKind::boolean)) {
    to = PathItem::of_integer(from.boolean() ? 1 : 0);
    return true;
  }
  if (!from.is(PathKind::string) || !is_integer_text(from.text())) return false;
  const auto number = Decimal::parse(from.text());
  const auto value = number ? number->to_int64() : std::nullopt;
  if (!value || *value > 2'147'483'647LL || *value < -2'147'483'648LL) return false;
  to = PathItem::of_integer(*value);
  return true;
}

bool to_decimal(Evaluator& ev, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::decimal)) {
    to = from;
    return true;
  }
  std::string text;
  if (from.is(PathKind::integer))
    text = std::to_string(from.integer());
  else if (from.is(PathKind::boolean))
    text = from.boolean() ? "1.0" : "0.0";
  else if (from.is(PathKind::string) && is_decimal_text(from.text()))
    text = from.text();
  else
    return false;
  to = ev.text_item(PathKind::decimal, plain_number(text));
  return true;
}

bool to_string(Evaluator& ev, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::node) || from.is(PathKind::type)) return false;
  to = ev.text_item(PathKind::string, print_item(from));
  return true;
}

bool to_date(Evaluator& ev, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::date)) {
    to = from;
    return true;
  }
  std::optional<base::PartialDate> date;
  if (from.is(PathKind::date_time)) {
    date = from.date().truncated(base::DatePrecision::day);
    date->has_offset = false;
    date->offset_minutes = 0;
  } else if (from.is(PathKind::string)) {
    date = parse_date(from.text());
  }
  if (date) to = ev.date_item(PathKind::date, *date);
  return date.has_value();
}

bool to_date_time(Evaluator& ev, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::date_time)) {
    to = from;
    return true;
  }
  if (from.is(PathKind::date)) {
    to = PathItem::of_date(PathKind::date_time, &from.date());
    return true;
  }
  if (!from.is(PathKind::string)) return false;
  const auto date = parse_date_time(from.text());
  if (date) to = ev.date_item(PathKind::date_time, *date);
  return date.has_value();
}

bool to_time(Evaluator& ev, const PathItem& from, PathItem& to) {
  if (from.is(PathKind::time)) {
    to = from;
    return true;
  }
  if (!from.is(PathKind::string)) return false;
  const auto time = parse_time(from.text());
  if (time) to = ev.date_item(PathKind::time, *time);
  return time.has_value();
}

/// "4 days", "1.5 'mg'", "2".
bool text_to_quantity(Evaluator& ev, std::string_view text, PathItem& to) {
  const std::size_t blank = text.find_first_of(" \t");
  const std::string_view number = text.substr(0, blank);
  if (!is_decimal_text(number)) return false;
  std::string_view unit;
  if (blank != std::string_view::npos) {
    const std::size_t begin = text.find_first_not_of(" \t", blank);
    if (begin == std::string_view::npos) return false;
    unit = text.substr(begin);
  }
  const std::string value = plain_number(number);
  if (unit.empty()) {
    to = ev.quantity_item(value, "1", false);
    return true;
  }
  if (unit.size() > 2 && unit.front() == '\'' && unit.back() == '\'') {
    to = ev.quantity_item(value, unit.substr(1, unit.size() - 2), false);
    return true;
  }
  const std::string_view word = calendar_word(unit);
  if (word.empty()) return false;
  to = ev.quantity_item(value, word, true);
  return true;
}

bool to_quantity(Evaluator& ev, const PathItem& from, PathItem& to) {
  switch (from.kind()) {
    case PathKind::quantity:
      to = from;
      return true;
    case PathKind::integer:
    case PathKind::decimal:
      to = ev.quantity_item(print_item(from), "1", false);
      return true;
    case PathKind::boolean:
      to = ev.quantity_item(from.boolean() ? "1.0" : "0.0", "1", false);
      return true;
    case PathKind::string:
      return text_to_quantity(ev, from.text(), to);
    default:
      return false;
  }
}

template <Convert convert>
bool to(PathCall& call) {
  PathItem from, result;
  bool found = false;
  if (!call.one(call.input, from, found)) return false;
  if (!found || !convert(call.ev, from, result)) return true;
  if (!result.is(PathKind::quantity) || call.arg_count() == 0) return call.give(result);
  // toQuantity(unit): in that unit, when it can be converted.
  std::string_view unit;
  bool has_unit = false;
  if (!call.arg_text(0, unit, has_unit)) return false;
  const PathQuantity& quantity = result.quantity();
  const std::string_view definite = quantity.calendar ? definite_unit(quantity.unit) : quantity.unit;
  if (!has_unit || unit == quantity.unit) return call.give(result);
  const auto unit_from = parse_unit(definite), unit_to = parse_unit(unit);
  const auto value = Decimal::parse(quantity.value);
  if (!unit_from || !unit_to || !value || !are_comparable(*unit_from, *unit_to)) return true;
  return call.give(
      call.ev.quantity_item(trimmed_decimal(convert_unit(*value, *unit_from, *unit_to, 32)), unit, false));
}

template <Convert convert>
bool converts(PathCall& call) {
  PathItem from, result;
  bool found = false;
  if (!call.one(call.input, from, found)) return false;
  return !found || call.give(convert(call.ev, from, result));
}

/// Only the branch that is taken is evaluated.
bool iif(PathCall& call) {
  if (call.input.size() > 1) return call.fail("several items where one is needed");
  const PathItem* self = call.input.empty() ? call.scope.self : &call.input[0];
  const Scope scope{self, call.scope.index, call.scope.total};
  Collection found = call.ev.make();
  Tri passed = Tri::empty;
  if (!call.ev.eval(*call.expr.args[0], scope, found) || !call.ev.truth(found, passed)) return false;
  if (passed == Tri::yes) return call.ev.eval(*call.expr.args[1], scope, call.out);
  return call.arg_count() < 3 || call.ev.eval(*call.expr.args[2], scope, call.out);
}

}  // namespace

const PathFunctionGroup& conversion_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"iif", 2, 3, 7, S::any, S::any, iif},
      {"toBoolean", 0, 0, 0, S::any, S::boolean, to<to_boolean>},
      {"toInteger", 0, 0, 0, S::any, S::integer, to<to_integer>},
      {"toDecimal", 0, 0, 0, S::any, S::decimal, to<to_decimal>},
      {"toString", 0, 0, 0, S::any, S::text, to<to_string>},
      {"toDate", 0, 0, 0, S::any, S::date, to<to_date>},
      {"toDateTime", 0, 0, 0, S::any, S::date_time, to<to_date_time>},
      {"toTime", 0, 0, 0, S::any, S::time, to<to_time>},
      {"toQuantity", 0, 1, 0, S::any, S::quantity, to<to_quantity>},
      {"convertsToBoolean", 0, 0, 0, S::any, S::boolean, converts<to_boolean>},
      {"convertsToInteger", 0, 0, 0, S::any, S::boolean, converts<to_integer>},
      {"convertsToDecimal", 0, 0, 0, S::any, S::boolean, converts<to_decimal>},
      {"convertsToString", 0, 0, 0, S::any, S::boolean, converts<to_string>},
      {"convertsToDate", 0, 0, 0, S::any, S::boolean, converts<to_date>},
      {"convertsToDateTime", 0, 0, 0, S::any, S::boolean, converts<to_date_time>},
      {"convertsToTime", 0, 0, 0, S::any, S::boolean, converts<to_time>},
      {"convertsToQuantity", 0, 1, 0, S::any, S::boolean, converts<to_quantity>},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
