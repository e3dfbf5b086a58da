// N1 §5.8 tree navigation, §5.9 utility functions, §6.3 types, §9 reflection.

#include <vector>

#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;

bool children(PathCall& call) {
  for (const PathItem& item : call.input) {
    if (!item.is(PathKind::node)) continue;
    for (const Node child : item.node()) {
      if (!call.ev.step()) return false;
      call.out.push(PathItem::of(child));
    }
  }
  return true;
}

/// Level by level, as repeat(children()) gives them.
bool descendants(PathCall& call) {
  std::vector<Node> level, next;
  for (const PathItem& item : call.input)
    if (item.is(PathKind::node)) level.push_back(item.node());
  for (; !level.empty(); level.swap(next), next.clear()) {
    for (const Node node : level) {
      for (const Node child : node) {
        if (!call.ev.step()) return false;
        call.out.push(PathItem::of(child));
        if (child.first_child()) next.push_back(child);
        if (call.out.size() > call.ev.environment().result_max)
          return call.ev.fail(base::ErrorCode::fhirpath_budget, "too many items", call.expr.offset);
      }
    }
  }
  return true;
}

bool trace(PathCall& call) {
  std::string_view name;
  bool found = false;
  if (!call.arg_text(0, name, found)) return false;
  if (!found) return call.fail("the name is missing");
  if (call.ev.environment().trace) {
    std::vector<PathItem> items(call.input.begin(), call.input.end());
    if (call.arg_count() > 1) {
      items.clear();
      for (std::size_t i = 0; i < call.input.size(); ++i) {
        Collection projected = call.ev.make();
        if (!call.each(1, call.input[i], i, projected)) return false;
        items.insert(items.end(), projected.begin(), projected.end());
      }
    }
    call.ev.environment().trace(name, items);
  }
  for (const PathItem& item : call.input) call.out.push(item);
  return true;
}

base::PartialDate now_value(PathCall& call, base::DatePrecision precision) {
  base::PartialDate now = base::PartialDate::from_wall(call.ev.environment().now, precision);
  if (precision == base::DatePrecision::fraction) {
    now.fraction_digits = 3;
    now.nanos = now.nanos / 1'000'000 * 1'000'000;
  }
  return now;
}
bool now(PathCall& call) {
  base::PartialDate value = now_value(call, base::DatePrecision::fraction);
  value.has_offset = true;
  return call.give(call.ev.date_item(PathKind::date_time, value));
}
bool today(PathCall& call) {
  base::PartialDate value = now_value(call, base::DatePrecision::day);
  value.has_offset = false;
  return call.give(call.ev.date_item(PathKind::date, value));
}
bool time_of_day(PathCall& call) {
  base::PartialDate value = now_value(call, base::DatePrecision::fraction);
  value.year = 0;
  value.month = value.day = 0;
  value.has_offset = false;
  return call.give(call.ev.date_item(PathKind::time, value));
}

bool check_type(PathCall& call) {
  const PathType& type = call.expr.type;
  return type.known() || !type.space.empty() || call.fail("there is no type " + std::string(type.name));
}

bool is(PathCall& call) {
  if (!check_type(call)) return false;
  if (call.input.size() > 1) return call.fail("several items where one is needed");
  return call.input.empty() || call.give(has_type(call.input[0], call.expr.type, true));
}

bool as(PathCall& call) {
  if (!check_type(call)) return false;
  if (call.input.size() > 1 && !call.ev.program().as_filters)
    return call.fail("several items where one is needed");
  const PathType& type = call.expr.type;
  const bool subtypes = type.fhir && !type.fhir->is_primitive();
  for (const PathItem& item : call.input)
    if (has_type(item, type, subtypes)) call.out.push(item);
  return true;
}

bool type(PathCall& call) {
  for (const PathItem& item : call.input) {
    const std::string name = type_name(item);
    const std::size_t dot = name.find('.');
    const PathTypeName parts{call.ev.arena().copy(name.substr(0, dot)),
                             call.ev.arena().copy(name.substr(dot + 1))};
    call.out.push(PathItem::of_type(call.ev.arena().make(parts)));
  }
  return true;
}

}  // namespace

const PathFunctionGroup& navigation_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"children", 0, 0, 0, S::any, S::any, children},
      {"descendants", 0, 0, 0, S::any, S::any, descendants},
      {"trace", 1, 2, 2, S::any, S::same, trace},
      {"now", 0, 0, 0, S::any, S::date_time, now},
      {"today", 0, 0, 0, S::any, S::date, today},
      {"timeOfDay", 0, 0, 0, S::any, S::time, time_of_day},
      {"is", 1, 1, 0, S::any, S::boolean, is, false, true},
      {"as", 1, 1, 0, S::any, S::type, as, false, true},
      {"type", 0, 0, 0, S::any, S::information, type},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
