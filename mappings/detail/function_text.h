#pragma once
// What several functions share.

#include <cstdint>
#include <string>
#include <string_view>

#include "mappings/value.h"

namespace kiln::mappings::detail {

/// Text of a plain scalar argument.
std::string_view argument_text(const Value& value, Arena& arena);
/// Order of two plain scalars: numbers by value, dates by time, else by text. Negative, 0, positive.
int compare_scalars(const Value& a, const Value& b, Arena& arena);
/// Number of characters, and the byte where character n (from 0) begins.
std::size_t utf8_length(std::string_view text);
std::size_t utf8_offset(std::string_view text, std::size_t n);
/// Simple case mapping of Latin, Greek and Cyrillic letters; other characters stay.
std::string change_case(std::string_view text, bool upper);
/// UCUM code of a unit as it is commonly written ("mmol/l", "mcg", "%"); empty when it is not known.
std::string_view ucum_code(std::string_view unit);

inline Value string_result(Arena& arena, std::string_view text) {
  return text.empty() ? Value() : Value::of_string(arena.copy(text));
}

}  // namespace kiln::mappings::detail
