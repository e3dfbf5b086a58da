#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const base::PartialDate& when = *arguments[0].date;
  base::PartialDate day = when.has_time() ? when.truncated(base::DatePrecision::day) : when;
  day.has_offset = false;
  day.offset_minutes = 0;
  return Value::of_date(context.arena.make<base::PartialDate>(day));
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"when", FunctionType::date, false, "date or time"}};
constexpr FunctionExample kExamples[] = {
    FunctionExample{"date(\"2025-08-18T11:26:03+01:00\")", "\"2025-08-18\""},
    FunctionExample{"date(\"196106\")", "\"1961-06\""}};

}  // namespace

const FunctionSpec& date_spec() {
  static const FunctionSpec spec{"date",      "the day of a time; a shorter date stays as it is",
                                 kParameters, false,
                                 false,       FunctionType::date,
                                 kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
