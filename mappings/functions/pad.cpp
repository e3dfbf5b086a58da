#include <string>

#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  constexpr std::int64_t kWidthMax = 1000;
  const std::string_view text = arguments[0].text();
  const std::string_view fill = arguments.size() > 2 ? arguments[2].text() : "0";
  const bool right = arguments.size() > 3 && arguments[3].text() == "right";
  if (detail::utf8_length(fill) != 1) return Value::bad("pad needs one fill character");
  if (arguments[1].integer > kWidthMax) return Value::bad("pad is limited to 1000 characters");
  std::string padding;
  for (auto n = static_cast<std::int64_t>(detail::utf8_length(text)); n < arguments[1].integer; ++n)
    padding += fill;
  return detail::string_result(context.arena,
                               right ? std::string(text) + padding : padding + std::string(text));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"width", FunctionType::integer, false, "wanted number of characters"},
    FunctionParameter{"fill", FunctionType::string, true, "one character, default \"0\""},
    FunctionParameter{"side", FunctionType::string, true, "\"left\" (default) or \"right\""}};
constexpr FunctionExample kExamples[] = {FunctionExample{"pad(\"7\", 3)", "\"007\""},
                                         FunctionExample{"pad(\"ab\", 4, \".\", \"right\")", "\"ab..\""},
                                         FunctionExample{"pad(\"1234\", 3)", "\"1234\""}};

}  // namespace

const FunctionSpec& pad_spec() {
  static const FunctionSpec spec{"pad",       "filled up to a width; longer text stays",
                                 kParameters, false,
                                 false,       FunctionType::string,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
