#include "engine/base/decimal.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  constexpr std::int64_t kDigitsMax = 30;
  const std::int64_t digits = arguments.size() > 1 ? arguments[1].integer : 0;
  const auto number = base::Decimal::parse(detail::argument_text(arguments[0], context.arena));
  if (!number) return Value::bad("not a number");
  if (digits < 0 || digits > kDigitsMax) return Value::bad("round takes 0 to 30 digits");
  return Value::of_decimal(context.arena.copy(number->round(static_cast<int>(digits)).print()));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"number", FunctionType::decimal, false, "any number"},
    FunctionParameter{"digits", FunctionType::integer, true, "places after the point, default 0"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"round(2.345, 2)", "2.35"},
                                         FunctionExample{"round(2.5)", "3"},
                                         FunctionExample{"round(5.4, 2)", "5.40"}};

}  // namespace

const FunctionSpec& round_spec() {
  static const FunctionSpec spec{
      "round",     "rounded half away from zero, with exactly so many digits after the point",
      kParameters, false,
      false,       FunctionType::decimal,
      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
