#include "mappings/detail/conversions.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::string_view pattern = arguments[1].text();
  const base::PartialDate& date = *arguments[0].date;
  if (date.precision < detail::precision_of_pattern(pattern))
    return Value::bad("the date is less precise than the pattern");
  return detail::string_result(context.arena, date.print_pattern(pattern));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"when", FunctionType::date, false, "date or time"},
    FunctionParameter{"pattern", FunctionType::string, false, "yyyy MM dd HH mm ss and literals"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"format(\"2025-08-18\", \"dd.MM.yyyy\")", "\"18.08.2025\""}};

}  // namespace

const FunctionSpec& format_spec() {
  static const FunctionSpec spec{"format",    "a date in a pattern of one's own",
                                 kParameters, false,
                                 false,       FunctionType::string,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
