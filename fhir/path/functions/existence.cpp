// N1 §5.1 existence.

#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir {
namespace {

using namespace detail;

bool empty(PathCall& call) {
  return call.give(call.input.empty());
}

bool exists(PathCall& call) {
  if (call.arg_count() == 0) return call.give(!call.input.empty());
  for (std::size_t i = 0; i < call.input.size(); ++i) {
    Tri passed = Tri::empty;
    if (!call.test(0, call.input[i], i, passed)) return false;
    if (passed == Tri::yes) return call.give(true);
  }
  return call.give(false);
}

bool all(PathCall& call) {
  for (std::size_t i = 0; i < call.input.size(); ++i) {
    Tri passed = Tri::empty;
    if (!call.test(0, call.input[i], i, passed)) return false;
    if (passed != Tri::yes) return call.give(false);
  }
  return call.give(true);
}

/// Whether some item is `wanted`; fails for items that are no booleans.
bool any_is(PathCall& call, bool wanted, bool& found) {
  found = false;
  for (const PathItem& item : call.input) {
    const PathItem value = call.ev.value(item);
    if (!value.is(PathKind::boolean)) return call.fail("an item is no Boolean");
    found = found || value.boolean() == wanted;
  }
  return true;
}

bool all_true(PathCall& call) {
  bool found = false;
  return any_is(call, false, found) && call.give(!found);
}
bool any_true(PathCall& call) {
  bool found = false;
  return any_is(call, true, found) && call.give(found);
}
bool all_false(PathCall& call) {
  bool found = false;
  return any_is(call, true, found) && call.give(!found);
}
bool any_false(PathCall& call) {
  bool found = false;
  return any_is(call, false, found) && call.give(found);
}

bool is_within(PathCall& call, const Collection& some, const Collection& all_items) {
  ItemSet known(call.ev);
  for (const PathItem& item : all_items) {
    bool fresh = false;
    if (!known.insert(item, fresh)) return false;
  }
  for (const PathItem& item : some) {
    bool found = false;
    if (!known.find(item, found)) return false;
    if (!found) return call.give(false);
  }
  return call.give(true);
}

bool subset_of(PathCall& call) {
  Collection other = call.ev.make();
  return call.arg(0, other) && is_within(call, call.input, other);
}
bool superset_of(PathCall& call) {
  Collection other = call.ev.make();
  return call.arg(0, other) && is_within(call, other, call.input);
}

bool count(PathCall& call) {
  return call.give_integer(static_cast<std::int64_t>(call.input.size()));
}

bool distinct(PathCall& call) {
  ItemSet known(call.ev);
  for (const PathItem& item : call.input) {
    bool fresh = false;
    if (!call.ev.step() || !known.insert(item, fresh)) return false;
    if (fresh) call.out.push(item);
  }
  return true;
}

bool is_distinct(PathCall& call) {
  ItemSet known(call.ev);
  for (const PathItem& item : call.input) {
    bool fresh = false;
    if (!call.ev.step() || !known.insert(item, fresh)) return false;
    if (!fresh) return call.give(false);
  }
  return call.give(true);
}

bool not_(PathCall& call) {
  Tri value = Tri::empty;
  if (!call.ev.truth(call.input, value)) return false;
  return value == Tri::empty || call.give(value == Tri::no);
}

}  // namespace

const PathFunctionGroup& existence_spec() {
  using S = PathShape;
  static const PathFunction functions[] = {
      {"empty", 0, 0, 0, S::any, S::boolean, empty},
      {"exists", 0, 1, 1, S::any, S::boolean, exists},
      {"all", 1, 1, 1, S::any, S::boolean, all},
      {"allTrue", 0, 0, 0, S::boolean, S::boolean, all_true},
      {"anyTrue", 0, 0, 0, S::boolean, S::boolean, any_true},
      {"allFalse", 0, 0, 0, S::boolean, S::boolean, all_false},
      {"anyFalse", 0, 0, 0, S::boolean, S::boolean, any_false},
      {"subsetOf", 1, 1, 0, S::any, S::boolean, subset_of},
      {"supersetOf", 1, 1, 0, S::any, S::boolean, superset_of},
      {"count", 0, 0, 0, S::any, S::integer, count},
      {"distinct", 0, 0, 0, S::any, S::same, distinct},
      {"isDistinct", 0, 0, 0, S::any, S::boolean, is_distinct},
      {"not", 0, 0, 0, S::any, S::boolean, not_},
  };
  static const PathFunctionGroup group{functions};
  return group;
}

}  // namespace kiln::fhir
