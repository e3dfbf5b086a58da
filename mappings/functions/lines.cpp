#include <string>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  std::string out;
  for (const Value& value : arguments[0].list()) {
    if (!out.empty()) out += '\n';
    out += detail::argument_text(value, context.arena);
  }
  return detail::string_result(context.arena, out);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "repetitions of a text field, OBX-5[*]"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"lines([\"a\", \"b\"])", "\"a\\nb\""}};

}  // namespace

const FunctionSpec& lines_spec() {
  static const FunctionSpec spec{"lines",     "repetitions of a text as lines of one text",
                                 kParameters, false,
                                 false,       FunctionType::string,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
