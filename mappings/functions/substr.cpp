#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::string_view text = arguments[0].text();
  const auto size = static_cast<std::int64_t>(detail::utf8_length(text));
  std::int64_t start = arguments[1].integer;
  if (start < 0) start = std::max<std::int64_t>(size + start + 1, 1);
  if (start == 0) return Value::bad("characters count from 1");
  const std::int64_t length = arguments.size() > 2 ? arguments[2].integer : size;
  if (start > size || length <= 0) return {};
  const std::size_t begin = detail::utf8_offset(text, static_cast<std::size_t>(start - 1));
  const std::string_view rest = text.substr(begin);
  return detail::string_result(context.arena,
                               rest.substr(0, detail::utf8_offset(rest, static_cast<std::size_t>(length))));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "any text"},
    FunctionParameter{"start", FunctionType::integer, false,
                      "first character, from 1; negative counts from the end"},
    FunctionParameter{"length", FunctionType::integer, true, "number of characters; the rest when left out"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"substr(\"ABCDE\", 2, 3)", "\"BCD\""},
                                         FunctionExample{"substr(\"ABCDE\", 0 - 2)", "\"DE\""},
                                         FunctionExample{"substr(\"ABC\", 9)", "absent"}};

}  // namespace

const FunctionSpec& substr_spec() {
  static const FunctionSpec spec{
      "substr", "characters from a position on", kParameters, false, false, FunctionType::string, kExamples,
      call};
  return spec;
}

}  // namespace kiln::mappings
