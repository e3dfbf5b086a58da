#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  return detail::string_result(context.arena, arguments[0].date->print_pattern(arguments[1].text()));
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
