#include <vector>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  std::vector<Value> kept;
  for (const Value& value : arguments[0].list()) {
    bool known = false;
    for (const Value& have : kept) known |= detail::compare_scalars(have, value, context.arena) == 0;
    if (!known) kept.push_back(value);
  }
  const std::span<Value> out = context.arena.array<Value>(kept.size());
  std::copy(kept.begin(), kept.end(), out.begin());
  return Value::of_list(out);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "values"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"distinct([\"b\", \"a\", \"b\"])", "[\"b\", \"a\"]"}};

}  // namespace

const FunctionSpec& distinct_spec() {
  static const FunctionSpec spec{"distinct",  "each value once, in order of its first occurrence",
                                 kParameters, false,
                                 false,       FunctionType::same,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
