#include "mappings/detail/conversions.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  if (!arguments[0].is_value()) return Value::of_boolean(true);
  for (const Value& value : arguments[0].list()) {
    const auto truth = detail::parse_boolean(detail::argument_text(value, context.arena));
    if (!truth) return Value::bad("not a boolean");
    if (*truth != true) return Value::of_boolean(false);
  }
  return Value::of_boolean(true);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "booleans"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"all([\"Y\", \"N\"])", "false"},
                                         FunctionExample{"all(omit)", "true"}};

}  // namespace

const FunctionSpec& all_spec() {
  static const FunctionSpec spec{"all",       "whether all values are true; true for none",
                                 kParameters, false,
                                 true,        FunctionType::boolean,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
