// What the text of a primitive must look like (std 2.A).

#include "engine/base/partial_date.h"
#include "hl7/validation/check.h"

namespace kiln::hl7::detail {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// NM: a sign, digits, a point, digits; digits on one side are enough.
bool is_number(std::string_view text) {
  if (!text.empty() && (text.front() == '+' || text.front() == '-')) text.remove_prefix(1);
  std::size_t digits = 0, points = 0;
  for (const char c : text) {
    if (is_digit(c))
      ++digits;
    else if (c != '.' || ++points > 1)
      return false;
  }
  return digits > 0;
}

bool is_sequence_id(std::string_view text) {
  for (const char c : text)
    if (!is_digit(c)) return false;
  return true;
}

bool is_offset(std::string_view text) {
  if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return false;
  for (const char c : text.substr(1))
    if (!is_digit(c)) return false;
  return text.substr(1, 2) <= "14" && text.substr(3) <= "59";
}

/// HH[MM[SS[.f]]][±ZZZZ]
bool is_time(std::string_view text) {
  if (const std::size_t sign = text.find_first_of("+-"); sign != text.npos) {
    if (!is_offset(text.substr(sign))) return false;
    text = text.substr(0, sign);
  }
  const std::string_view clock = text.substr(0, text.find('.'));
  if (clock.size() != 2 && clock.size() != 4 && clock.size() != 6) return false;
  const std::string_view fraction = text.substr(clock.size());
  if (!fraction.empty() && (clock.size() != 6 || fraction.size() < 2 || fraction.size() > 5)) return false;
  for (const char c : clock)
    if (!is_digit(c)) return false;
  for (const char c : fraction.substr(fraction.empty() ? 0 : 1))
    if (!is_digit(c)) return false;
  return clock.substr(0, 2) <= "23" && (clock.size() < 4 || clock.substr(2, 2) <= "59") &&
         (clock.size() < 6 || clock.substr(4, 2) <= "59");
}

bool fits(Primitive type, std::string_view text) {
  switch (type) {
    case Primitive::text:
      return true;
    case Primitive::number:
      return is_number(text);
    case Primitive::sequence_id:
      return is_sequence_id(text);
    case Primitive::date: {
      const auto date = base::PartialDate::parse_hl7(text);
      return date && !date->has_time();
    }
    case Primitive::time:
      return is_time(text);
    case Primitive::date_time:
      return base::PartialDate::parse_hl7(text).has_value();
  }
  return true;
}

std::string_view complaint(Primitive type) {
  switch (type) {
    case Primitive::text:
      return "";
    case Primitive::number:
      return "not a number";
    case Primitive::sequence_id:
      return "not a sequence number";
    case Primitive::date:
      return "not a date";
    case Primitive::time:
      return "not a time";
    case Primitive::date_time:
      return "not a date or time";
  }
  return "";
}

}  // namespace

void check_datatype(Check& check, const Element& element, const LeafView& leaf, const Location& at) {
  if (!check.on(RuleKind::datatype)) return;
  if (!fits(element.primitive, leaf.text(check.buffer)))
    check.add(RuleKind::datatype, at, leaf.offset(), complaint(element.primitive), element.name);
}

}  // namespace kiln::hl7::detail
