// N1 §5.2 filtering and projection, §5.3 subsetting, §5.4 combining, and sort().

#include <algorithm>

#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;

bool where(PathCall& call) {
  for (std::size_t i = 0; i < call.input.size(); ++i) {
    Tri passed = Tri::empty;
    if (!call.test(0, call.input[i], i, passed)) return false;
    if (passed == Tri::yes) call.out.push(call.input[i]);
  }
  return true;
}

bool select(PathCall& call) {
  for (std::size_t i = 0; i < call.input.size(); ++i) {
    if (!call.each(0, call.input[i], i, call.out)) return false;
    if (call.out.size() > call.ev.environment().result_max)
      return call.ev.fail(base::ErrorCode::fhirpath_budget, "too many items", call.expr.offset);
  }
  return true;
}

/// What the projection gives for the input, and again for all that is new, each once.
bool repeat(PathCall& call) {
  ItemSet known(call.ev);
  Collection from = call.ev.make();
  for (const PathItem& item : call.input) from.push(item);
  for (std::size_t i = 0; i < from.size(); ++i) {
    Collection found = call.ev.make();
    if (!call.each(0, PathItem(from[i]), i, found)) return false;
    for (const PathItem& item : found) {
      bool fresh = false;
      if (!call.ev.step() || !known.insert(item, fresh)) return false;
      if (!fresh) continue;
      from.push(item);
      call.out.push(item);
      if (call.out.size() > call.ev.environment().result_max)
        return call.ev.fail(base::ErrorCode::fhirpath_budget, "too many items", call.expr.offset);
    }
  }
  return true;
}

bool of_type(PathCall& call) {
  const PathType& type = call.expr.type;
  if (!type.known() && type.space.empty()) return call.fail("there is no type " + std::string(type.name));
  const bool subtypes = type.fhir && !type.fhir->is_primitive();
  for (const PathItem& item : call.input)
    if (has_type(item, type, subtypes)) call.out.push(item);
  return true;
}

bool single(PathCall& call) {
  if (call.input.size() > 1) return call.fail("there are several items");
  return call.input.empty() || call.give(call.input[0]);
}
bool first(PathCall& call) {
  return call.input.empty() || call.give(call.input[0]);
}
bool last(PathCall& call) {
  return call.input.empty() || call.give(call.input[call.input.size() - 1]);
}

bool slice(PathCall& call, std::size_t begin, std::size_t end) {
  for (std::size_t i = begin; i < std::min(end, call.input.size()); ++i) call.out.push(call.input[i]);
  return true;
}
bool tail(PathCall& call) {
  return slice(call, 1, call.input.size());
}
bool skip(PathCall& call) {
  std::int64_t count = 0;
  bool found = false;
  if (!call.arg_integer(0, count, found)) return false;
  return !found || slice(call, static_cast<std::size_t>(std::max<std::int64_t>(0, count)), call.input.size());
}
bool take(PathCall& call) {
  std::int64_t count = 0;
  bool found = false;
  if (!call.arg_integer(0, count, found)) return false;
  return !found || slice(call, 0, static_cast<std::size_t>(std::max<std::int64_t>(0, count)));
}

/// The input's items that are (`keep`) or are not in the argument.
bool compare_with(PathCall& call, bool keep, bool once) {
  Collection other = call.ev.make();
  if (!call.arg(0, other)) return false;
  ItemSet others(call.ev), given(call.ev);
  bool fresh = false;
  for (const PathItem& item : other)
    if (!others.insert(item, fresh)) return false;
  for (const PathItem& item : call.input) {
    bool found = false;
    if (!call.ev.step() || !others.find(item, found)) return false;
    if (found != keep) continue;
    if (once && !given.insert(item, fresh)) return false;
    if (!once || fresh) call.out.push(item);
  }
  return true;
}
bool intersect(PathCall& call) {
  return compare_with(call, true, true);
}
bool exclude(PathCall& call) {
  return compare_with(call, false, false);
}

bool union_(PathCall& call) {
  Collection other = call.ev.make();
  return call.arg(0, other) && call.ev.unite(call.input, other, call.out);
}
bool combine(PathCall& call) {
  for (const PathItem& item : call.input) call.out.push(item);
  return call.arg(0, call.out);
}

/// Nothing sorts behind everything, and first when the order is descending.
bool sort(PathCall& call) {
  struct Row {
    PathItem item;
    std::vector<PathItem> keys;
    std::vector<bool> has;
  };
  std::vector<Row> rows;
  const std::size_t keys = std::max<std::size_t>(1, call.arg_count());
  for (std::size_t i = 0; i < call.input.size(); ++i) {
    Row row{call.input[i], std::vector<PathItem>(keys), std::vector<bool>(keys)};
    for (std::size_t k = 0; k < keys; ++k) {
      Collection found = call.ev.make();
      if (call.arg_count() == 0)
        found.push(call.input[i]);
      else if (!call.each(k, call.input[i], i, found))
        return false;
      bool any = false;
      if (!call.one(found, row.keys[k], any)) return false;
      row.has[k] = any;
    }
    rows.push_back(std::move(row));
  }
  bool failed = false;
  const auto before = [&](const Row& a, const Row& b) {
    for (std::size_t k = 0; k < keys && !failed; ++k) {
      const bool descending = call.arg_count() != 0 && call.expr.args[k]->descending;
      std::optional<int> order = 0;
      if (!a.has[k] || !b.has[k])
        order = a.has[k] == b.has[k] ? 0 : a.has[k] ? -1 : 1;
      else if (!call.ev.order(a.keys[k], b.keys[k], order))
        failed = true;
      if (order.value_or(0) != 0) return descending ? *order > 0 : *order < 0;
    }
    return false;
  };
  // A merge sort by hand would be no shorter; stable_sort is safe for an order that is not total
  // (incomparable dates).
  std::stable_sort(rows.begin(), rows.end(), before);
  if (failed) return false;
  for (const Row& row : rows) call.out.push(row.item);
  return true;
}

bool aggregate(PathCall& call) {
  Collection total = call.ev.make();
  if (call.arg_count() > 1 && !call.arg(1, total)) return false;
  for (std::size_t i = 0; i < call.input.size(); ++i) {
    Collection next = call.ev.make();
    const Scope scope{&call.input[i], static_cast<std::int64_t>(i), &total};
    if (!call.ev.step() || !call.ev.eval(*call.expr.args[0], scope, next)) return false;
    total = next;
  }
  for (const PathItem& item : total) call.out.push(item);
  return true;
}

}  // namespace

const PathFunctionGroup& filtering_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"where", 1, 1, 1, S::any, S::same, where},
      {"select", 1, 1, 1, S::any, S::item, select},
      {"repeat", 1, 1, 1, S::any, S::item, repeat},
      {"ofType", 1, 1, 0, S::any, S::type, of_type, false, true},
      {"single", 0, 0, 0, S::any, S::same, single},
      {"first", 0, 0, 0, S::any, S::same, first, true},
      {"last", 0, 0, 0, S::any, S::same, last, true},
      {"tail", 0, 0, 0, S::any, S::same, tail, true},
      {"skip", 1, 1, 0, S::any, S::same, skip, true},
      {"take", 1, 1, 0, S::any, S::same, take, true},
      {"intersect", 1, 1, 0, S::any, S::same, intersect},
      {"exclude", 1, 1, 0, S::any, S::same, exclude},
      {"union", 1, 1, 0, S::any, S::any, union_},
      {"combine", 1, 1, 0, S::any, S::any, combine},
      {"sort", 0, 8, 0xff, S::any, S::same, sort},
      {"aggregate", 1, 2, 1, S::any, S::any, aggregate},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
