#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  constexpr std::string_view kComparators[] = {"", "<", "<=", ">=", ">"};
  const std::string_view unit = arguments.size() > 1 ? arguments[1].text() : std::string_view();
  const std::string_view code = detail::ucum_code(unit);
  const std::span<Value> parts = context.arena.array<Value>(10);
  Value number = arguments[0];
  const std::string_view comparator = number.kind == ValueKind::decimal ? kComparators[number.flags] : "";
  number.flags = 0;
  std::size_t count = 0;
  const auto add = [&](std::string_view name, const Value& value) {
    parts[count++] = Value::of_string(name);
    parts[count++] = value;
  };
  add("value", number);
  if (!comparator.empty()) add("comparator", Value::of_string(comparator));
  if (!unit.empty()) add("unit", arguments[1]);
  if (!code.empty()) {
    add("system", Value::of_string("http://unitsofmeasure.org"));
    add("code", Value::of_string(code));
  }
  Value record = Value::of_list(parts.first(count));
  record.kind = ValueKind::record;
  return record;
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"value", FunctionType::decimal, false, "the number"},
    FunctionParameter{"unit", FunctionType::string, true, "unit as sent; a known one becomes a UCUM code"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{
        "quantity(5.4, \"mmol/l\")",
        "{value: 5.4, unit: \"mmol/l\", system: \"http://unitsofmeasure.org\", code: \"mmol/L\"}"},
    FunctionExample{"quantity(parseDecimal(\"<5,4\", \"de\"), \"Stück\")",
                    "{value: 5.4, comparator: \"<\", unit: \"Stück\"}"}};

}  // namespace

const FunctionSpec& quantity_spec() {
  static const FunctionSpec spec{
      "quantity",  "a Quantity; system and code are added when the unit is a known UCUM unit",
      kParameters, false,
      false,       FunctionType::quantity,
      kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
