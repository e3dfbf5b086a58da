#include <algorithm>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::span<Value> out = context.arena.array<Value>(arguments[0].size);
  std::copy(arguments[0].list().begin(), arguments[0].list().end(), out.begin());
  std::stable_sort(out.begin(), out.end(), [&](const Value& a, const Value& b) {
    return detail::compare_scalars(a, b, context.arena) < 0;
  });
  return Value::of_list(out);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "values"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"sort([\"10\", \"9\", \"2\"])", "[\"2\", \"9\", \"10\"]"},
    FunctionExample{"sort([\"b\", \"a\"])", "[\"a\", \"b\"]"}};

}  // namespace

const FunctionSpec& sort_spec() {
  static const FunctionSpec spec{"sort",      "in ascending order: numbers by value, else by text",
                                 kParameters, false,
                                 false,       FunctionType::same,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
