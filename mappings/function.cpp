#include "mappings/function.h"

#include <algorithm>

namespace kiln::mappings {

std::string_view name_of(FunctionType type) {
  constexpr std::string_view kNames[] = {"any",  "same", "item", "string", "integer",  "decimal", "boolean",
                                         "date", "time", "list", "regex",  "quantity", "uri"};
  return kNames[static_cast<std::size_t>(type)];
}

const FunctionSpec* find_function(std::string_view name) {
  const auto all = all_functions();
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const FunctionSpec* spec) { return spec->name == name; });
  return at == all.end() ? nullptr : *at;
}

}  // namespace kiln::mappings
