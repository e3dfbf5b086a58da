#include <algorithm>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine/base/decimal.h"
#include "mappings/detail/function_text.h"
#include "mappings/function.h"

namespace kiln::mappings {
namespace {

/// Equal for values that compare as equal: 5 and 5.0, one moment in two zones.
std::string key_of(const Value& value, Arena& arena) {
  if (value.kind == ValueKind::date) return "d" + std::to_string(value.date->lowest_micros());
  std::string text(detail::argument_text(value, arena));
  if (!base::Decimal::parse(text)) return "s" + text;
  const bool negative = text.front() == '-';
  std::string digits = text.substr(negative || text.front() == '+' ? 1 : 0);
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.find('.') != std::string::npos) {
    while (digits.back() == '0') digits.pop_back();
    if (digits.back() == '.') digits.pop_back();
  }
  return (negative && !digits.empty() ? "n-" : "n") + digits;
}

Value call(std::span<const Value> arguments, FunctionContext& context) {
  std::unordered_set<std::string> seen;
  std::vector<Value> kept;
  for (const Value& value : arguments[0].list())
    if (seen.insert(key_of(value, context.arena)).second) kept.push_back(value);
  const std::span<Value> out = context.arena.array<Value>(kept.size());
  std::copy(kept.begin(), kept.end(), out.begin());
  return Value::of_list(out);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"values", FunctionType::list, false, "values"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"distinct([\"b\", \"a\", \"b\"])", "[\"b\", \"a\"]"}};

}  // namespace

const FunctionSpec& distinct_spec() {
  static const FunctionSpec spec{"distinct",  "each value once, in order of its first occurrence",
                                 kParameters, false,
                                 false,       FunctionType::same,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
