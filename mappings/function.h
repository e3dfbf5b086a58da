#pragma once
// The functions of the mapping language (hmap.md §12). One function = one file in mappings/functions; the
// file's spec drives checking, documentation and tests: its examples are run.

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/clock.h"
#include "engine/base/partial_date.h"
#include "mappings/value.h"

namespace kiln::mappings {

/// Types that a parameter or result can have. `any` takes every scalar; `same` (result only) is the type of
/// the first argument; `item` (result only) is the item type of the first argument; `date` takes date,
/// dateTime and instant; `regex` takes text or a regular expression re"…".
enum class FunctionType : std::uint8_t {
  any,
  same,
  item,
  string,
  integer,
  decimal,
  boolean,
  date,
  time,
  list,
  regex,
  quantity,
  uri
};
std::string_view name_of(FunctionType type);

struct FunctionParameter {
  std::string_view name;
  FunctionType type = FunctionType::string;
  bool optional = false;  ///< may be left out; then the argument list is shorter
  std::string_view summary;
};

struct FunctionExample {
  std::string_view call;    ///< hmap text: upper("ab")
  std::string_view result;  ///< hmap literal of the result: "AB", 12, true, ["a", "b"], absent
};

/// What a function may use besides its arguments. Pure: nothing here depends on wall time or chance.
struct FunctionContext {
  Arena& arena;
  base::WallTime received;  ///< run.received: the time `age` counts to when no second date is given
  const base::TimeZone* timezone = nullptr;
};

/// Arguments are converted to the parameter types before the call. Absent arguments never reach a function
/// (the result is absent) unless `takes_absent`. Results live in the arena or in the arguments.
/// Value::bad(why) reports a value that the function cannot use; the rule's `on bad` policy decides.
using FunctionBody = Value (*)(std::span<const Value> arguments, FunctionContext& context);

struct FunctionSpec {
  std::string_view name;     ///< as written in a map
  std::string_view summary;  ///< one line
  std::span<const FunctionParameter> parameters;
  bool variadic = false;  ///< the last parameter may repeat
  bool takes_absent = false;
  FunctionType result = FunctionType::string;
  std::span<const FunctionExample> examples;
  FunctionBody body = nullptr;
};

/// Every function, sorted by file name. Static storage; thread-safe.
std::span<const FunctionSpec* const> all_functions();
/// By name as written in a map; nullptr when there is none.
const FunctionSpec* find_function(std::string_view name);

}  // namespace kiln::mappings
