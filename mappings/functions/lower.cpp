#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  return detail::string_result(context.arena, detail::change_case(arguments[0].text(), false));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"lower(\"ABC\")", "\"abc\""},
                                         FunctionExample{"lower(\"ÄÖ\")", "\"äö\""}};

}  // namespace

const FunctionSpec& lower_spec() {
  static const FunctionSpec spec{"lower",     "lower case of Latin, Greek and Cyrillic letters",
                                 kParameters, false,
                                 false,       FunctionType::string,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
