#include "mappings/function.h"

namespace kiln::mappings {
namespace {

Value call(std::span<const Value> arguments, FunctionContext& context) {
  const base::PartialDate& birth = *arguments[0].date;
  base::PartialDate at;
  if (arguments.size() > 1) {
    at = *arguments[1].date;
  } else {
    at = context.timezone != nullptr ? context.timezone->local(context.received)
                                     : base::PartialDate::from_wall(context.received);
  }
  // A partial birth date counts from the start of what it says: the age is then the most it can be.
  const int month = birth.month == 0 ? 1 : birth.month, day = birth.day == 0 ? 1 : birth.day;
  int years = at.year - birth.year;
  if (at.month < month || (at.month == month && at.day < day)) --years;
  return years < 0 ? Value::bad("born after that date") : Value::of_integer(years);
}

constexpr FunctionParameter kParameters[] = {
    FunctionParameter{"birth", FunctionType::date, false, "date of birth"},
    FunctionParameter{"at", FunctionType::date, true, "default: when the message was received"}};
constexpr FunctionExample kExamples[] = {FunctionExample{"age(\"1961-06-15\", \"2025-06-14\")", "63"},
                                         FunctionExample{"age(\"1961-06-15\", \"2025-06-15\")", "64"}};

}  // namespace

const FunctionSpec& age_spec() {
  static const FunctionSpec spec{"age", "completed years",     kParameters, false,
                                 false, FunctionType::integer, kExamples,   call};
  return spec;
}

}  // namespace kiln::mappings
