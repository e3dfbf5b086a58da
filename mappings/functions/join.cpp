#include <algorithm>

#include "engine/base/limits.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

/// visit(text) for each text that is joined.
template <class Visit>
void for_each_part(std::span<const Value> parts, Arena& arena, const Visit& visit) {
  const auto one = [&](const Value& value) {
    if (const std::string_view text = detail::argument_text(value, arena); !text.empty()) visit(text);
  };
  for (const Value& value : parts) {
    if (value.kind == ValueKind::list) {
      for (const Value& item : value.list()) one(item);
    } else {
      one(value);
    }
  }
}

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::string_view separator = arguments[0].text();
  const std::span<const Value> parts = arguments.subspan(1);
  std::size_t count = 0, size = 0;
  for_each_part(parts, context.arena, [&](std::string_view text) {
    ++count;
    size += text.size();
  });
  if (count == 0) return {};
  size += (count - 1) * separator.size();
  if (size > base::limits::kMapOutputBytesMax) return Value::bad("the result is too long");
  char* const out = context.arena.chars(size);
  char* at = out;
  for_each_part(parts, context.arena, [&](std::string_view text) {
    if (at != out) at = std::copy(separator.begin(), separator.end(), at);
    at = std::copy(text.begin(), text.end(), at);
  });
  return Value::of_string({out, size});
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
