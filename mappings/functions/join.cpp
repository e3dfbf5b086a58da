#include <string>

#include "engine/base/limits.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  std::string out;
  bool any = false, too_long = false;
  const auto add = [&](const Value& value) {
    const std::string_view text = detail::argument_text(value, context.arena);
    if (text.empty() || too_long) return;
    too_long = out.size() + text.size() > base::limits::kMapOutputBytesMax;
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
  if (too_long) return Value::bad("the result is too long");
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
