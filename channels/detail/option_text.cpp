#include "channels/detail/option_text.h"

#include <algorithm>
#include <cassert>
#include <charconv>

#include "engine/base/text.h"

namespace kiln::channels::detail {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};
constexpr Unit kDurations[] = {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"B", 1}};

std::optional<std::int64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& one : units)
    if (unit == one.name && number <= INT64_MAX / one.factor) return number * one.factor;
  return std::nullopt;
}

tl::unexpected<base::Error> expected(const std::string& what) {
  return base::fail(base::ErrorCode::bad_value, what + " is expected");
}

std::string list_words(std::span<const char* const> words) {
  std::string out;
  for (const char* word : words) out += (out.empty() ? "`" : ", `") + std::string(word) + "`";
  return words.size() == 1 ? out : "one of " + out;
}

bool is_word(const FieldSpec& field, std::string_view word) {
  return std::ranges::any_of(field.words, [&](const char* known) { return word == known; });
}

base::Result<OptionValue> parse_number(const FieldSpec& field, OptionValue value) {
  std::optional<std::int64_t> number;
  if (field.type == FieldType::integer) {
    std::int64_t parsed = 0;
    const auto [end, error] =
        std::from_chars(value.text.data(), value.text.data() + value.text.size(), parsed);
    if (error == std::errc() && end == value.text.data() + value.text.size()) number = parsed;
  } else {
    number = field.type == FieldType::size ? parse_size(value.text) : parse_duration(value.text);
  }
  if (!number) return expected(std::string("a value of type ") + name_of(field.type));
  if (std::string wrong = check_range(field, *number); !wrong.empty()) return expected(wrong);
  value.number = *number;
  return value;
}

}  // namespace

std::optional<std::int64_t> parse_duration(std::string_view text) {
  return parse_with_unit(text, kDurations);
}
std::optional<std::int64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizes);
}

std::string check_range(const FieldSpec& field, std::int64_t number) {
  if (number >= field.min && number <= field.max) return {};
  const char* unit = field.type == FieldType::duration ? " ms"
                     : field.type == FieldType::size   ? " bytes"
                                                       : "";
  if (field.max == INT64_MAX) return "at least " + std::to_string(field.min) + unit;
  return "a value from " + std::to_string(field.min) + " to " + std::to_string(field.max) + unit;
}

base::Result<OptionValue> parse_option_text(const FieldSpec& field, std::string text) {
  OptionValue value;
  value.text = std::move(text);
  switch (field.type) {
    case FieldType::integer:
    case FieldType::duration:
    case FieldType::size:
      return parse_number(field, std::move(value));
    case FieldType::boolean:
      if (value.text != "true" && value.text != "false") return expected("`true` or `false`");
      value.number = value.text == "true" ? 1 : 0;
      return value;
    case FieldType::duration_range: {
      const auto dots = value.text.find("..");
      const auto low = parse_duration(std::string_view(value.text).substr(0, dots));
      const auto high =
          dots == std::string::npos ? low : parse_duration(std::string_view(value.text).substr(dots + 2));
      if (!low || !high || *low > *high) return expected("a range like 1s..5m");
      value.number = *low;
      value.number_max = *high;
      return value;
    }
    case FieldType::string:
      if (!field.words.empty() && !is_word(field, value.text)) return expected(list_words(field.words));
      return value;
    case FieldType::word:
      if (!field.words.empty() && !is_word(field, value.text)) return expected(list_words(field.words));
      return value;
    case FieldType::words:
      for (const std::string_view word : base::split(value.text, ' ')) {
        if (!field.words.empty() && !is_word(field, word)) return expected(list_words(field.words));
        value.words.emplace_back(word);
      }
      return value;
    case FieldType::address:
      if (value.text.rfind(':') == std::string::npos) return expected("an address like 127.0.0.1:8080");
      return value;
    default:
      return value;
  }
}

std::optional<OptionValue> default_of(const FieldSpec& field) {
  if (field.default_value == nullptr || field.type == FieldType::retry || field.type == FieldType::nak)
    return std::nullopt;
  std::string text = field.default_value;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  auto value = parse_option_text(field, std::move(text));
  assert(value.has_value());  // tests read every table
  value->origin = OptionValue::Origin::default_value;
  return std::move(*value);
}

}  // namespace kiln::channels::detail
