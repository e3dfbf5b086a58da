// Helpers of the functions, and the list of them.

#include <unordered_map>

#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir::detail {

bool PathCall::test(std::size_t index, const PathItem& item, std::size_t position, Tri& result) {
  const auto mark = ev.arena().mark();
  {
    Collection found = ev.make();
    if (!each(index, item, position, found) || !ev.truth(found, result)) return false;
  }
  ev.arena().release(mark);
  return true;
}

bool PathCall::one(const Collection& from, PathItem& item, bool& found) {
  found = !from.empty();
  if (from.size() > 1) return fail("several items where one is needed");
  if (!found) return true;
  item = ev.value(from[0]);
  // A primitive without a value has nothing to work on.
  if (item.is(PathKind::node) && !item.node().is_object()) found = false;
  return true;
}

bool PathCall::one_of(PathKind kind, const Collection& from, PathItem& item, bool& found) {
  if (!one(from, item, found)) return false;
  if (!found || item.is(kind)) return true;
  return fail("not for " + type_name(item));
}

bool PathCall::input_text(std::string_view& text, bool& found) {
  PathItem item;
  if (!one_of(PathKind::string, input, item, found)) return false;
  if (found) text = item.text();
  return true;
}

bool PathCall::arg_text(std::size_t index, std::string_view& text, bool& found) {
  Collection items = ev.make();
  PathItem item;
  if (!arg(index, items) || !one_of(PathKind::string, items, item, found)) return false;
  if (found) text = item.text();
  return true;
}

bool PathCall::arg_integer(std::size_t index, std::int64_t& value, bool& found) {
  Collection items = ev.make();
  PathItem item;
  if (!arg(index, items) || !one_of(PathKind::integer, items, item, found)) return false;
  if (found) value = item.integer();
  return true;
}

const PathFunction* find_path_function(std::string_view name) {
  static const auto table = [] {
    std::unordered_map<std::string_view, const PathFunction*> made;
    for (const PathFunctionGroup* group : all_path_functions())
      for (const PathFunction& function : group->functions) made.emplace(function.name, &function);
    return made;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

}  // namespace kiln::fhir::detail
