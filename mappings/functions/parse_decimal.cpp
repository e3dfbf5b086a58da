#include <string>

#include "engine/base/text.h"
#include "mappings/detail/conversions.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

bool marks(std::string_view format, char& point, std::string_view& group) {
  if (format == "en") return true;
  if (format == "ch") {
    group = "'";
    return true;
  }
  point = ',';
  group = format == "fr" ? " " : ".";
  return format == "de" || format == "fr";
}

Comparator take_comparator(std::string_view& text) {
  const auto take = [&](std::string_view mark, Comparator comparator) {
    if (!text.starts_with(mark)) return Comparator::none;
    text.remove_prefix(mark.size());
    return comparator;
  };
  for (const auto& [mark, comparator] :
       {std::pair{"<=", Comparator::less_or_equal}, std::pair{">=", Comparator::greater_or_equal},
        std::pair{"<", Comparator::less}, std::pair{">", Comparator::greater}}) {
    if (const Comparator found = take(mark, comparator); found != Comparator::none) return found;
  }
  return Comparator::none;
}

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const std::string_view format = arguments.size() > 1 ? arguments[1].text() : "en";
  char point = '.';
  std::string_view group = ",";
  if (!marks(format, point, group)) return Value::bad("parseDecimal knows the formats en, de, fr and ch");
  std::string_view text = base::trim(arguments[0].text());
  const auto comparator = static_cast<std::uint8_t>(take_comparator(text));
  text = base::trim(text);
  std::string plain;
  bool behind_point = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == point) {
      plain += '.';
      behind_point = true;
    } else if (!behind_point && at > 0 && text.substr(at).starts_with(group)) {
      at += group.size() - 1;
    } else if (text[at] == '.' || text[at] == ',') {
      return Value::bad("not a number of this format");
    } else {
      plain += text[at];
    }
  }
  const auto number = detail::json_number(context.arena, plain);
  if (!number) return Value::bad("not a number");
  Value value = Value::of_decimal(context.arena.copy(*number));
  value.flags = comparator;
  return value;
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"text", FunctionType::string, false, "a number, perhaps behind < <= >= >"},
    FunctionParameter{"format", FunctionType::string, true,
                      "\"en\" 1,234.5 (default), \"de\" 1.234,5, \"fr\" 1 234,5, \"ch\" 1'234.5"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"parseDecimal(\"5,4\", \"de\")", "5.4"},
                                         FunctionExample{"parseDecimal(\"1.234,50\", \"de\")", "1234.50"},
                                         FunctionExample{"parseDecimal(\"1,234.5\")", "1234.5"},
                                         FunctionExample{"parseDecimal(\"1 234,5\", \"fr\")", "1234.5"}};

}  // namespace

const FunctionSpec& parse_decimal_spec() {
  static const FunctionSpec spec{
      "parseDecimal",
      "a number as people of a country write it; a comparator before it is kept for quantity()",
      kParameters,
      false,
      false,
      FunctionType::decimal,
      kExamples,
      call};
  return spec;
}

}  // namespace kiln::mappings
