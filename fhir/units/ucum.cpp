#include "fhir/units/ucum.h"

#include <algorithm>
#include <vector>

namespace kiln::fhir {
namespace {

using base::Decimal;

struct Prefix {
  std::string_view code;
  int power;
};
constexpr Prefix kPrefixes[] = {{"Y", 24},  {"Z", 21},  {"E", 18},  {"P", 15},  {"T", 12},
                                {"G", 9},   {"M", 6},   {"k", 3},   {"h", 2},   {"da", 1},
                                {"d", -1},  {"c", -2},  {"m", -3},  {"u", -6},  {"n", -9},
                                {"p", -12}, {"f", -15}, {"a", -18}, {"z", -21}, {"y", -24}};

constexpr std::string_view kBase[Unit::kDimensions] = {"m", "s", "g", "rad", "K", "C", "cd", "mol"};

/// Units that measure by a procedure: they only compare with themselves.
constexpr std::string_view kArbitrary[] = {
    "[iU]",        "[IU]",        "[arb'U]",   "[USP'U]",  "[GPL'U]",  "[MPL'U]", "[APL'U]", "[beth'U]",
    "[anti'Xa'U]", "[todd'U]",    "[dye'U]",   "[smgy'U]", "[bdsk'U]", "[ka'U]",  "[knk'U]", "[mclg'U]",
    "[tb'U]",      "[CCID_50]",   "[TCID_50]", "[EID_50]", "[PFU]",    "[FFU]",   "[CFU]",   "[BAU]",
    "[AU]",        "[Amb'a'1'U]", "[PNU]",     "[Lf]",     "[D'ag'U]", "[FEU]",   "[ELU]",   "[EU]",
    "[pH]",        "[hnsf'U]",    "[hp_X]",    "[hp_C]",   "[APL'U]",  "[kn'U]",  "[S]",     "[mesh_i]"};

struct Known {
  std::string_view code;
  bool metric;
  Unit unit;
};

Decimal power_of_ten(int power) {
  return *Decimal::parse("1e" + std::to_string(power));
}

Decimal raised(const Decimal& base, int power) {
  Decimal out(1);
  for (int i = 0; i < power; ++i) out = out * base;
  return out;
}

/// Within what a factor may become.
bool is_small(const Decimal& value) {
  return value.print().size() < 400;
}

bool scale(Unit& unit, int power) {
  if (power == 1) return true;
  if (power < -9 || power > 9) return false;
  for (auto& dimension : unit.dimensions) dimension = static_cast<std::int8_t>(dimension * power);
  unit.arbitrary_power = static_cast<std::int8_t>(unit.arbitrary_power * power);
  Decimal top = raised(unit.numerator, power < 0 ? -power : power);
  Decimal bottom = raised(unit.denominator, power < 0 ? -power : power);
  if (power < 0) std::swap(top, bottom);
  unit.numerator = std::move(top);
  unit.denominator = std::move(bottom);
  return !unit.offset && is_small(unit.numerator) && is_small(unit.denominator);
}

std::optional<Unit> join(const Unit& a, const Unit& b, int sign) {
  Unit out = a;
  Unit other = b;
  if (a.offset || b.offset || !scale(other, sign)) return std::nullopt;
  for (std::size_t i = 0; i < Unit::kDimensions; ++i) {
    const int sum = out.dimensions[i] + other.dimensions[i];
    if (sum < -30 || sum > 30) return std::nullopt;
    out.dimensions[i] = static_cast<std::int8_t>(sum);
  }
  if (!other.arbitrary.empty()) {
    if (!out.arbitrary.empty() && out.arbitrary != other.arbitrary) return std::nullopt;
    out.arbitrary = other.arbitrary;
    out.arbitrary_power = static_cast<std::int8_t>(out.arbitrary_power + other.arbitrary_power);
    if (out.arbitrary_power == 0) out.arbitrary = {};
  }
  out.numerator = out.numerator * other.numerator;
  out.denominator = out.denominator * other.denominator;
  if (!is_small(out.numerator) || !is_small(out.denominator)) return std::nullopt;
  return out;
}

/// Reads UCUM codes over the units known so far.
class Reader {
 public:
  Reader(std::string_view text, const std::vector<Known>& known) : text_(text), known_(known) {}

  std::optional<Unit> run() {
    const auto unit = term(0);
    return unit && at_ == text_.size() ? unit : std::nullopt;
  }

 private:
  static constexpr int kDepthMax = 8;

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::optional<Unit> term(int depth) {
    if (depth > kDepthMax) return std::nullopt;
    Unit unit;
    int sign = 1;
    if (peek() == '/') {
      ++at_;
      sign = -1;
    }
    while (true) {
      const auto part = component(depth);
      if (!part) return std::nullopt;
      // A unit with an offset (Cel) stands alone.
      if (part->offset) return at_ == text_.size() && sign == 1 && depth == 0 && first_ ? part : std::nullopt;
      first_ = false;
      const auto joined = join(unit, *part, sign);
      if (!joined) return std::nullopt;
      unit = *joined;
      if (peek() == '.')
        sign = 1;
      else if (peek() == '/')
        sign = -1;
      else
        return unit;
      ++at_;
    }
  }

  bool annotation() {
    if (peek() != '{') return false;
    const std::size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return false;
    at_ = end + 1;
    return true;
  }

  std::optional<Unit> component(int depth) {
    if (peek() == '(') {
      ++at_;
      auto inner = term(depth + 1);
      if (!inner || peek() != ')') return std::nullopt;
      ++at_;
      return power(std::move(*inner));
    }
    if (peek() == '{') return annotation() ? std::optional<Unit>(Unit{}) : std::nullopt;
    auto unit = simple();
    if (unit && peek() == '{' && !annotation()) return std::nullopt;
    return unit;
  }

  std::optional<Unit> power(Unit unit) {
    const std::size_t begin = at_;
    bool minus = false;
    if (peek() == '+' || peek() == '-') {
      minus = peek() == '-';
      ++at_;
    }
    int exponent = 0;
    const std::size_t digits = at_;
    while (peek() >= '0' && peek() <= '9' && at_ - digits < 3)
      exponent = exponent * 10 + (text_[at_++] - '0');
    if (at_ == begin) return unit;
    if (at_ == digits) return std::nullopt;
    // 10*-24 is a factor of a table row's kind, with a larger exponent than a dimension may have.
    if (unit.dimensions == Unit{}.dimensions && unit.numerator == Decimal(10) && exponent <= 30) {
      Unit factor;
      factor.numerator = minus ? Decimal(1) : power_of_ten(exponent);
      factor.denominator = minus ? power_of_ten(exponent) : Decimal(1);
      return factor;
    }
    return scale(unit, minus ? -exponent : exponent) ? std::optional<Unit>(unit) : std::nullopt;
  }

  /// A number, or a unit with its exponent.
  std::optional<Unit> simple() {
    std::size_t end = at_;
    bool bracket = false;
    while (end < text_.size()) {
      const char c = text_[end];
      if (c == '[') bracket = true;
      if (c == ']') bracket = false;
      if (!bracket && (c == '.' || c == '/' || c == '(' || c == ')' || c == '{' || c == '}')) break;
      ++end;
    }
    std::string_view symbol = text_.substr(at_, end - at_);
    if (symbol.empty() || symbol.size() > 40) return std::nullopt;
    if (symbol.find_first_not_of("0123456789") == std::string_view::npos) {
      Unit number;
      number.numerator = *Decimal::parse(symbol);
      at_ = end;
      return number.numerator.is_zero() ? std::nullopt : std::optional<Unit>(number);
    }
    std::size_t size = symbol.size();
    while (size > 0 && symbol[size - 1] >= '0' && symbol[size - 1] <= '9') --size;
    if (size < symbol.size() && size > 0 && (symbol[size - 1] == '-' || symbol[size - 1] == '+')) --size;
    const auto unit = atom(symbol.substr(0, size));
    if (!unit) return std::nullopt;
    at_ += size;
    return power(*unit);
  }

  const Known* find(std::string_view code) const {
    for (const Known& known : known_)
      if (known.code == code) return &known;
    return nullptr;
  }

  std::optional<Unit> atom(std::string_view symbol) const {
    if (const Known* known = find(symbol)) return known->unit;
    for (const Prefix& prefix : kPrefixes) {
      if (!symbol.starts_with(prefix.code)) continue;
      const Known* known = find(symbol.substr(prefix.code.size()));
      if (!known || !known->metric) continue;
      Unit unit = known->unit;
      if (unit.offset) continue;
      if (prefix.power > 0)
        unit.numerator = unit.numerator * power_of_ten(prefix.power);
      else
        unit.denominator = unit.denominator * power_of_ten(-prefix.power);
      return unit;
    }
    return std::nullopt;
  }

  std::string_view text_;
  const std::vector<Known>& known_;
  std::size_t at_ = 0;
  bool first_ = true;
};

std::vector<Known> make_table() {
  struct Row {
    std::string_view code;
    bool metric;
    std::string_view factor, in;
  };
  static constexpr Row rows[] = {
#define KILN_UNIT(code, metric, factor, in) {code, metric, factor, in},
#include "fhir/units/units.inc"
#undef KILN_UNIT
  };
  std::vector<Known> table;
  for (std::size_t i = 0; i < Unit::kDimensions; ++i) {
    Unit unit;
    unit.dimensions[i] = 1;
    table.push_back({kBase[i], true, unit});
  }
  for (const std::string_view code : kArbitrary) {
    Unit unit;
    unit.arbitrary = code == "[IU]" ? "[iU]" : code;
    unit.arbitrary_power = 1;
    table.push_back({code, true, unit});
  }
  const auto temperature = [&table](std::string_view code, bool metric, const char* offset, const char* top,
                                    const char* bottom) {
    Unit unit;
    unit.dimensions[4] = 1;
    unit.offset = *Decimal::parse(offset);
    unit.numerator = *Decimal::parse(top);
    unit.denominator = *Decimal::parse(bottom);
    table.push_back({code, metric, unit});
  };
  temperature("Cel", true, "273.15", "1", "1");
  temperature("[degF]", false, "459.67", "5", "9");
  for (const Row& row : rows) {
    auto unit = Reader(row.in, table).run();
    if (!unit) continue;  // a test looks for every row
    unit->numerator = unit->numerator * *Decimal::parse(row.factor);
    table.push_back({row.code, row.metric, std::move(*unit)});
  }
  return table;
}

const std::vector<Known>& table() {
  static const std::vector<Known> made = make_table();
  return made;
}

Decimal shifted(const Decimal& value, const Unit& unit) {
  return unit.offset ? value + *unit.offset : value;
}

}  // namespace

std::optional<Unit> parse_unit(std::string_view code) {
  if (code.empty() || code.size() > 100) return std::nullopt;
  return Reader(code, table()).run();
}

bool are_comparable(const Unit& a, const Unit& b) {
  return a.dimensions == b.dimensions && a.arbitrary == b.arbitrary && a.arbitrary_power == b.arbitrary_power;
}

std::strong_ordering compare_units(const Decimal& a, const Unit& unit_a, const Decimal& b,
                                   const Unit& unit_b) {
  return (shifted(a, unit_a) * unit_a.numerator * unit_b.denominator)
      .compare(shifted(b, unit_b) * unit_b.numerator * unit_a.denominator);
}

Decimal convert_unit(const Decimal& value, const Unit& from, const Unit& to, int digits) {
  const Decimal top = shifted(value, from) * from.numerator * to.denominator;
  Decimal out = *top.divide(from.denominator * to.numerator, digits);
  return to.offset ? out - *to.offset : out;
}

std::string base_units(const Unit& unit) {
  std::string out;
  const auto add = [&out](std::string_view code, int power) {
    if (power == 0) return;
    if (!out.empty()) out += '.';
    out += code;
    if (power != 1) out += std::to_string(power);
  };
  for (const std::size_t i : {2, 0, 1, 3, 4, 5, 6, 7}) add(kBase[i], unit.dimensions[i]);
  add(unit.arbitrary, unit.arbitrary_power);
  return out.empty() ? "1" : out;
}

std::optional<Unit> multiply_units(const Unit& a, const Unit& b) {
  return join(a, b, 1);
}
std::optional<Unit> divide_units(const Unit& a, const Unit& b) {
  return join(a, b, -1);
}

std::string_view calendar_word(std::string_view text) {
  static constexpr std::string_view words[] = {"year", "month",  "week",   "day",
                                               "hour", "minute", "second", "millisecond"};
  std::string_view singular = text;
  if (singular.ends_with('s')) singular.remove_suffix(1);
  for (const std::string_view word : words)
    if (word == singular) return word;
  return {};
}

std::string_view definite_unit(std::string_view word) {
  static constexpr std::pair<std::string_view, std::string_view> units[] = {
      {"week", "wk"}, {"day", "d"}, {"hour", "h"}, {"minute", "min"}, {"second", "s"}, {"millisecond", "ms"}};
  for (const auto& [name, unit] : units)
    if (name == word) return unit;
  return {};
}

}  // namespace kiln::fhir
