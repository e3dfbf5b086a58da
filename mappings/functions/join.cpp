#include <string>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  std::string out;
  bool any = false;
  const auto add = [&](const Value& value) {
    const std::string_view text = detail::argument_text(value, context.arena);
    if (text.empty()) return;
    if (any) out += arguments[0].text();
    out += text;
    any = true;
  };
  for (const Value& value : arguments.subspan(1)) {
    if (value.kind == ValueKind::list) {
      for (const Value& item : value.list()) add(item);
    } else {
      add(value);
    }
  }
  return any ? detail::string_result(context.arena, out) : Value();
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"separator", FunctionType::string, false, "text between the parts"},
    FunctionParameter{"part", FunctionType::any, false, "values or lists; absent ones are left out"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"join(\" / \", \"a\", omit, \"b\")", "\"a / b\""},
                                         FunctionExample{"join(\", \", [\"x\", \"y\"])", "\"x, y\""},
                                         FunctionExample{"join(\"-\", omit)", "absent"}};

}  // namespace

const FunctionSpec& join_spec() {
  static const FunctionSpec spec{"join", "values in one text", kParameters, true,
                                 true,   FunctionType::string, kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
