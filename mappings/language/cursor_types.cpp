// What names and paths mean: the part of Cursor that knows the dictionary and the FHIR definitions.

#include <algorithm>
#include <charconv>

#include "mappings/language/cursor.h"

namespace kiln::mappings {

using detail::TokenKind;

namespace {

constexpr std::size_t kDepthMax = 16;  ///< `let a = b`, `let b = c`, …

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

PlaceType of_element(const fhir::ElementDef& element) {
  PlaceType out;
  out.element = &element;
  out.fhir = element.only_type();
  return out;
}

std::string_view component_type(hl7::Version version, std::string_view datatype, std::size_t position) {
  const auto in = [&](hl7::Version v) -> std::string_view {
    const auto type = hl7::Dictionary(v).datatype(datatype);
    const auto found = type ? type->component(position) : std::nullopt;
    return found ? found->datatype : std::string_view();
  };
  const std::string_view found = in(version);
  return found.empty() ? in(hl7::Version::v2_9) : found;
}

}  // namespace

std::optional<hl7::FieldDef> find_field(hl7::Version version, std::string_view segment,
                                        std::size_t position) {
  const auto in = [&](hl7::Version v) {
    const auto found = hl7::Dictionary(v).segment(segment);
    return found ? found->field(position) : std::nullopt;
  };
  if (auto found = in(version)) return found;
  for (std::size_t i = hl7::kVersionCount; i-- > 0;)
    if (auto found = in(hl7::kVersions[i])) return found;
  return std::nullopt;
}

std::optional<hl7::StructureDef> find_message(hl7::Version version, std::string_view name) {
  const hl7::Dictionary dictionary(version);
  if (auto structure = dictionary.structure(name)) return structure;
  const std::size_t bar = name.find('_');
  return bar == std::string_view::npos ? std::nullopt
                                       : dictionary.event(name.substr(0, bar), name.substr(bar + 1));
}

std::optional<FieldPath> parse_field_path(std::string_view text) {
  if (text.size() < 5 || text[3] != '-') return std::nullopt;
  FieldPath out{text.substr(0, 3), {}};
  for (std::size_t at = 4; at <= text.size();) {
    const std::size_t end = std::min(text.find('.', at), text.size());
    const std::string_view part = text.substr(at, end - at);
    if (part.empty() || part.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    out.numbers.push_back(number(part));
    at = end + 1;
  }
  return out;
}

PlaceType Cursor::type_named(std::string_view name) const {
  PlaceType out;
  out.fhir = name.empty() ? nullptr : fhir::find_type(name);
  return out;
}

/// `base` one step further: an element, a field, a component, a column.
PlaceType Cursor::step(const PlaceType& base, std::size_t token, bool writes) const {
  const std::string_view name = word(token);
  PlaceType out;
  if (is(token, TokenKind::v2ref)) {
    const auto path = parse_field_path(name);
    const auto field = path ? find_field(enclosing_.version, path->segment, path->numbers[0]) : std::nullopt;
    if (!field) return out;
    out.datatype = field->datatype;
    for (std::size_t i = 1; i < path->numbers.size(); ++i)
      out.datatype = component_type(enclosing_.version, out.datatype, path->numbers[i]);
    return out;
  }
  if (is(token, TokenKind::number)) {
    out.datatype = base.datatype.empty() ? std::string_view()
                                         : component_type(enclosing_.version, base.datatype, number(name));
    return out;
  }
  if (base.fhir == nullptr) return out;
  if (const fhir::ElementDef* element = base.fhir->element(name)) return of_element(*element);
  const fhir::JsonMember member = base.fhir->element_by_json_name(name);
  if (!writes && member) {
    out.element = member.element;
    out.fhir = member.content();
  }
  return out;
}

PlaceType Cursor::target_type(std::size_t first, std::size_t last) const {
  PlaceType at = target();
  bool root = true;
  for (std::size_t i = first; i < last; ++i) {
    if (is(i, TokenKind::left_bracket) || is(i, TokenKind::left_paren)) {
      while (i < last && !is(i, TokenKind::right_bracket) && !is(i, TokenKind::right_paren)) ++i;
      continue;
    }
    if (is(i, TokenKind::colon)) {
      ++i;  // a slice
      continue;
    }
    const bool name = is(i, TokenKind::ident) || is(i, TokenKind::v2ref) || is(i, TokenKind::number);
    if (!name) continue;
    if (word(i) == "ext" && is(i + 1, TokenKind::left_paren)) {
      at = {};
    } else if (root && is(i, TokenKind::ident) && is(i + 1, TokenKind::dot) && handle(word(i))) {
      at = type_named(handle(word(i))->first);
    } else {
      at = step(at, i, true);
    }
    root = false;
  }
  return at;
}

std::optional<std::pair<std::string_view, std::size_t>> Cursor::handle(std::string_view name) const {
  for (std::size_t i = enclosing_.first; i + 2 < enclosing_.last; ++i) {
    if (word(i) == "create" && word(i + 1) == name && is(i + 2, TokenKind::colon))
      return std::pair(word(i + 3), i + 1);
  }
  return std::nullopt;
}

std::vector<std::pair<std::string_view, std::string_view>> Cursor::handles() const {
  std::vector<std::pair<std::string_view, std::string_view>> out;
  for (std::size_t i = enclosing_.first; i + 2 < enclosing_.last; ++i)
    if (word(i) == "create" && is(i + 1, TokenKind::ident) && is(i + 2, TokenKind::colon))
      out.emplace_back(word(i + 1), word(i + 3));
  return out;
}

std::size_t Cursor::chain_begin(std::size_t last) const {
  const auto back_over = [&](std::size_t at, TokenKind open, TokenKind close) {
    for (std::size_t depth = 0;; --at) {
      if (is(at, close)) ++depth;
      if (is(at, open) && --depth == 0) return at;
      if (at == 0) return at;
    }
  };
  std::size_t at = last;
  for (;;) {
    while (is(at, TokenKind::right_bracket) || is(at, TokenKind::right_paren)) {
      at = is(at, TokenKind::right_bracket) ? back_over(at, TokenKind::left_bracket, TokenKind::right_bracket)
                                            : back_over(at, TokenKind::left_paren, TokenKind::right_paren);
      if (at == 0) return at;
      const bool joined = !lexed_.tokens[at].space_before;
      if (!joined) return at;
      --at;
    }
    if (at == 0 || is(at, TokenKind::dot)) return at;  // `.` alone: this
    if (!is(at - 1, TokenKind::dot) || lexed_.tokens[at].space_before) return at;
    if (at < 2 || lexed_.tokens[at - 1].space_before) return at - 1;  // `.name`: of this
    const TokenKind before = lexed_.tokens[at - 2].kind;
    const bool value = before == TokenKind::ident || before == TokenKind::v2ref ||
                       before == TokenKind::number || before == TokenKind::right_bracket ||
                       before == TokenKind::right_paren;
    if (!value) return at - 1;
    at -= 2;
  }
}

PlaceType Cursor::value_type(std::size_t last) const {
  return value_type(last, 0);
}

PlaceType Cursor::value_type(std::size_t last, std::size_t depth) const {
  if (depth > kDepthMax || last >= lexed_.tokens.size()) return {};
  const std::size_t first = chain_begin(last);
  PlaceType at = is(first, TokenKind::dot) ? this_type(first, depth + 1) : name_type(first, depth + 1);
  std::size_t i = is(first, TokenKind::dot) ? first : first + 1;
  for (; i <= last; ++i) {
    if (is(i, TokenKind::left_bracket) || is(i, TokenKind::left_paren)) {
      const TokenKind close =
          is(i, TokenKind::left_bracket) ? TokenKind::right_bracket : TokenKind::right_paren;
      const TokenKind open = lexed_.tokens[i].kind;
      for (std::size_t level = 0; i <= last; ++i) {
        if (is(i, open)) ++level;
        if (is(i, close) && --level == 0) break;
      }
      continue;
    }
    const bool name = is(i, TokenKind::ident) || is(i, TokenKind::number) || is(i, TokenKind::v2ref);
    if (!name || (word(i) == "first" && is(i + 1, TokenKind::left_paren))) continue;
    at = step(at, i, false);
  }
  return at;
}

/// The type of a name on its own: parameter, loop variable, let, handle.
PlaceType Cursor::name_type(std::size_t token, std::size_t depth) const {
  if (is(token, TokenKind::v2ref)) return step({}, token, false);
  const std::string_view name = word(token);
  for (const auto& [parameter, type] : enclosing_.parameters) {
    if (parameter != name) continue;
    PlaceType out;
    if (type.model == "hl7" && type.name.size() == 3)
      out.segment = type.name;
    else if (type.model == "hl7")
      out.message = fhir::find_type(type.name) == nullptr, out.datatype = type.name;
    else if (type.model == "csv")
      out.csv = type.name;
    else
      out = type_named(type.name);
    if (out.message && out.datatype.find('_') != std::string_view::npos) out.datatype = {};
    return out;
  }
  if (const auto created = handle(name)) return type_named(created->first);
  for (std::size_t i = std::min(token, enclosing_.last); i-- > enclosing_.first;) {
    if (word(i) != name) continue;
    const bool let = i > 0 && word(i - 1) == "let" && is(i + 1, TokenKind::assign);
    const bool loop = i > 1 && word(i - 1) == "each" && word(i + 1) == "in";
    if (!let && !loop) continue;
    std::size_t end = i + 2;
    while (end + 1 < token && !lexed_.tokens[end + 1].space_before && !is(end + 1, TokenKind::left_brace))
      ++end;
    const bool selector = is(end, TokenKind::ident) || is(end, TokenKind::right_bracket) ||
                          is(end, TokenKind::v2ref) || is(end, TokenKind::number) ||
                          is(end, TokenKind::right_paren);
    return selector ? value_type(end, depth) : PlaceType();
  }
  return {};
}

/// What `.` is at a token: the item of the selector or `each` around it, or a datatype map's source.
PlaceType Cursor::this_type(std::size_t token, std::size_t depth) const {
  std::size_t level = 0;
  for (std::size_t i = token; i-- > enclosing_.first;) {
    const TokenKind kind = lexed_.tokens[i].kind;
    if (kind == TokenKind::right_bracket || kind == TokenKind::right_brace || kind == TokenKind::right_paren)
      ++level;
    const bool open =
        kind == TokenKind::left_bracket || kind == TokenKind::left_brace || kind == TokenKind::left_paren;
    if (open && level > 0) {
      --level;
      continue;
    }
    if (kind == TokenKind::left_bracket && !lexed_.tokens[i].space_before && i > 0)
      return value_type(i - 1, depth);
    const bool each = level == 0 && word(i) == "each" && i > 0 && word(i - 1) != "for";
    if (each) return value_type(i - 1, depth);
  }
  if (enclosing_.keyword != "datatype" || enclosing_.parameters.empty()) return {};
  PlaceType out;
  out.datatype = enclosing_.parameters.front().second.name;
  if (const fhir::TypeDef* type = fhir::find_type(out.datatype)) {
    out.fhir = type;
    out.datatype = {};
  }
  return out;
}

}  // namespace kiln::mappings
