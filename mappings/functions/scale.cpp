#include "engine/base/decimal.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const auto number = base::Decimal::parse(detail::argument_text(arguments[0], context.arena));
  return number ? Value::of_integer(number->scale()) : Value::bad("not a number");
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"number", FunctionType::decimal, false, "any number"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"scale(1.50)", "2"},
                                         FunctionExample{"scale(7)", "0"}};

}  // namespace

const FunctionSpec& scale_spec() {
  static const FunctionSpec spec{"scale",     "how many digits stand behind the point",
                                 kParameters, false,
                                 false,       FunctionType::integer,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
