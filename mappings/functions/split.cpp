#include <vector>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::string_view text = arguments[0].text(), separator = arguments[1].text();
  if (separator.empty()) return Value::bad("split needs a separator");
  std::vector<Value> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    if (end > at) parts.push_back(Value::of_string(text.substr(at, end - at)).from(arguments[0].source));
    at = end + separator.size();
  }
  if (parts.empty()) return {};
  const std::span<Value> kept = context.arena.array<Value>(parts.size());
  std::copy(parts.begin(), parts.end(), kept.begin());
  return Value::of_list(kept);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"separator", FunctionType::string, false, "text between the parts"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"split(\"a b  c\", \" \")", "[\"a\", \"b\", \"c\"]"}};

}  // namespace

const FunctionSpec& split_spec() {
  static const FunctionSpec spec{"split",     "the parts between separators; empty parts are left out",
                                 kParameters, false,
                                 false,       FunctionType::list,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
