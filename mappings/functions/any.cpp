#include "mappings/detail/conversions.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  if (!arguments[0].is_value()) return Value::of_boolean(false);
  for (const Value& value : arguments[0].list()) {
    const auto truth = detail::parse_boolean(detail::argument_text(value, context.arena));
    if (!truth) return Value::bad("not a boolean");
    if (*truth != false) return Value::of_boolean(true);
  }
  return Value::of_boolean(false);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "booleans"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"any([\"Y\", \"N\"])", "true"},
                                         FunctionExample{"any(omit)", "false"}};

}  // namespace

const FunctionSpec& any_spec() {
  static const FunctionSpec spec{"any",       "whether at least one value is true; false for none",
                                 kParameters, false,
                                 true,        FunctionType::boolean,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
