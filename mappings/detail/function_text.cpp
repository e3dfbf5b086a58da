#include "mappings/detail/function_text.h"

#include <algorithm>
#include <array>

#include "engine/base/decimal.h"
#include "engine/base/text.h"
#include "mappings/detail/conversions.h"

namespace kiln::mappings::detail {
namespace {

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const std::uint32_t first = byte(at);
  const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  std::uint32_t code = size == 1 ? first : first & (0x7Fu >> size);
  for (std::size_t i = 1; i < size; ++i) code = code << 6 | (byte(at + i) & 0x3F);
  at += size;
  return code;
}

bool in(std::uint32_t code, std::uint32_t first, std::uint32_t last) {
  return code >= first && code <= last;
}

/// Latin Extended-A pairs: even upper and odd lower, but for two stretches where it is the other way round.
std::uint32_t pair_case(std::uint32_t code, bool upper) {
  const bool odd_upper = in(code, 0x139, 0x148) || in(code, 0x179, 0x17E);
  const bool is_upper = (code & 1) == (odd_upper ? 1u : 0u);
  if (upper == is_upper) return code;
  return upper ? code - 1 : code + 1;
}

std::uint32_t change(std::uint32_t code, bool upper) {
  if (upper) {
    if (in(code, 'a', 'z') || (in(code, 0xE0, 0xFE) && code != 0xF7)) return code - 32;
    if (code == 0xFF) return 0x178;
    if (in(code, 0x3B1, 0x3C9) && code != 0x3C2) return code - 32;
    if (in(code, 0x430, 0x44F)) return code - 32;
    if (in(code, 0x450, 0x45F)) return code - 80;
  } else {
    if (in(code, 'A', 'Z') || (in(code, 0xC0, 0xDE) && code != 0xD7)) return code + 32;
    if (code == 0x178) return 0xFF;
    if (in(code, 0x391, 0x3A9)) return code + 32;
    if (in(code, 0x410, 0x42F)) return code + 32;
    if (in(code, 0x400, 0x40F)) return code + 80;
  }
  const bool without_case =
      code == 0x130 || code == 0x131 || code == 0x138 || code == 0x149 || code == 0x178 || code == 0x17F;
  if (in(code, 0x100, 0x17E) && !without_case) return pair_case(code, upper);
  return code;
}

struct Unit {
  std::string_view written, code;
};

// Compared without regard to case where the written form differs from the code; the codes themselves exactly.
constexpr std::array kUnits = {Unit{"%", "%"},
                               Unit{"percent", "%"},
                               Unit{"g", "g"},
                               Unit{"gram", "g"},
                               Unit{"kg", "kg"},
                               Unit{"mg", "mg"},
                               Unit{"ug", "ug"},
                               Unit{"mcg", "ug"},
                               Unit{"µg", "ug"},
                               Unit{"ng", "ng"},
                               Unit{"pg", "pg"},
                               Unit{"l", "L"},
                               Unit{"dl", "dL"},
                               Unit{"cl", "cL"},
                               Unit{"ml", "mL"},
                               Unit{"ul", "uL"},
                               Unit{"µl", "uL"},
                               Unit{"fl", "fL"},
                               Unit{"m", "m"},
                               Unit{"cm", "cm"},
                               Unit{"mm", "mm"},
                               Unit{"um", "um"},
                               Unit{"in", "[in_i]"},
                               Unit{"inch", "[in_i]"},
                               Unit{"ft", "[ft_i]"},
                               Unit{"lb", "[lb_av]"},
                               Unit{"lbs", "[lb_av]"},
                               Unit{"oz", "[oz_av]"},
                               Unit{"mol/l", "mol/L"},
                               Unit{"mmol/l", "mmol/L"},
                               Unit{"umol/l", "umol/L"},
                               Unit{"µmol/l", "umol/L"},
                               Unit{"nmol/l", "nmol/L"},
                               Unit{"pmol/l", "pmol/L"},
                               Unit{"mmol/mol", "mmol/mol"},
                               Unit{"g/l", "g/L"},
                               Unit{"g/dl", "g/dL"},
                               Unit{"mg/l", "mg/L"},
                               Unit{"mg/dl", "mg/dL"},
                               Unit{"mg/g", "mg/g"},
                               Unit{"ug/l", "ug/L"},
                               Unit{"µg/l", "ug/L"},
                               Unit{"ug/dl", "ug/dL"},
                               Unit{"ug/ml", "ug/mL"},
                               Unit{"mcg/ml", "ug/mL"},
                               Unit{"ng/l", "ng/L"},
                               Unit{"ng/ml", "ng/mL"},
                               Unit{"ng/dl", "ng/dL"},
                               Unit{"pg/ml", "pg/mL"},
                               Unit{"u/l", "U/L"},
                               Unit{"iu/l", "[IU]/L"},
                               Unit{"iu/ml", "[IU]/mL"},
                               Unit{"miu/l", "m[IU]/L"},
                               Unit{"uiu/ml", "u[IU]/mL"},
                               Unit{"iu", "[IU]"},
                               Unit{"meq/l", "meq/L"},
                               Unit{"mosm/kg", "mosm/kg"},
                               Unit{"10*3/ul", "10*3/uL"},
                               Unit{"10^3/ul", "10*3/uL"},
                               Unit{"k/ul", "10*3/uL"},
                               Unit{"10*6/ul", "10*6/uL"},
                               Unit{"10^6/ul", "10*6/uL"},
                               Unit{"m/ul", "10*6/uL"},
                               Unit{"10*9/l", "10*9/L"},
                               Unit{"10^9/l", "10*9/L"},
                               Unit{"10*12/l", "10*12/L"},
                               Unit{"10^12/l", "10*12/L"},
                               Unit{"/ul", "/uL"},
                               Unit{"/min", "/min"},
                               Unit{"bpm", "/min"},
                               Unit{"mm[hg]", "mm[Hg]"},
                               Unit{"mmhg", "mm[Hg]"},
                               Unit{"kpa", "kPa"},
                               Unit{"cel", "Cel"},
                               Unit{"°c", "Cel"},
                               Unit{"degc", "Cel"},
                               Unit{"[degf]", "[degF]"},
                               Unit{"°f", "[degF]"},
                               Unit{"degf", "[degF]"},
                               Unit{"s", "s"},
                               Unit{"sec", "s"},
                               Unit{"min", "min"},
                               Unit{"h", "h"},
                               Unit{"hr", "h"},
                               Unit{"d", "d"},
                               Unit{"day", "d"},
                               Unit{"days", "d"},
                               Unit{"wk", "wk"},
                               Unit{"mo", "mo"},
                               Unit{"a", "a"},
                               Unit{"yr", "a"},
                               Unit{"kg/m2", "kg/m2"},
                               Unit{"m2", "m2"},
                               Unit{"ml/min", "mL/min"},
                               Unit{"ml/min/{1.73_m2}", "mL/min/{1.73_m2}"},
                               Unit{"ml/min/1.73m2", "mL/min/{1.73_m2}"},
                               Unit{"mm/h", "mm/h"},
                               Unit{"mm/hr", "mm/h"},
                               Unit{"ratio", "{ratio}"},
                               Unit{"[ph]", "[pH]"},
                               Unit{"ph", "[pH]"},
                               Unit{"1", "1"},
                               Unit{"{score}", "{score}"},
                               Unit{"l/min", "L/min"}};

}  // namespace

std::string_view argument_text(const Value& value, Arena& arena) {
  switch (value.kind) {
    case ValueKind::boolean:
      return value.boolean ? "true" : "false";
    case ValueKind::integer:
      return print_integer(arena, value.integer);
    case ValueKind::date:
      return print_fhir_date(arena, *value.date);
    case ValueKind::string:
    case ValueKind::decimal:
    case ValueKind::time:
      return value.text();
    default:
      return {};
  }
}

int compare_scalars(const Value& a, const Value& b, Arena& arena) {
  if (a.kind == ValueKind::date && b.kind == ValueKind::date) {
    const std::int64_t x = a.date->lowest_micros(), y = b.date->lowest_micros();
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const std::string_view left = argument_text(a, arena), right = argument_text(b, arena);
  const auto x = base::Decimal::parse(left), y = base::Decimal::parse(right);
  if (x && y) {
    const auto order = x->compare(*y);
    return order < 0 ? -1 : order > 0 ? 1 : 0;
  }
  const int order = left.compare(right);
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

std::size_t utf8_length(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::size_t utf8_offset(std::string_view text, std::size_t n) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && n-- == 0) return i;
  }
  return text.size();
}

std::string change_case(std::string_view text, bool upper) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t before = at;
    const std::uint32_t code = next_code_point(text, at);
    if (upper && code == 0xDF) {
      out += "SS";
    } else if (const std::uint32_t changed = change(code, upper); changed != code) {
      base::append_utf8(out, changed);
    } else {
      out += text.substr(before, at - before);
    }
  }
  return out;
}

std::string_view ucum_code(std::string_view unit) {
  unit = base::trim(unit);
  for (const Unit& known : kUnits) {
    if (known.code == unit) return known.code;
  }
  const std::string wanted = base::lower_ascii(unit);
  for (const Unit& known : kUnits) {
    if (known.written == wanted) return known.code;
  }
  return {};
}

}  // namespace kiln::mappings::detail
