// Names, literals, types, policies, parameters.

#include <charconv>

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "mappings/detail/parser.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

constexpr int kPathNumberMax = 999;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

ast::Name Parser::parse_name(std::string_view what) {
  if (failed_) return {};
  if (!is(Kind::ident)) {
    expected(what);
    return {};
  }
  const Token& token = advance();
  return {std::string(text_of(token)), span_of(token)};
}

ast::QName Parser::parse_qname(std::string_view what) {
  ast::QName name;
  const std::uint32_t begin = here();
  name.parts.push_back(parse_name(what));
  while (!failed_ && is(Kind::dot) && is(Kind::ident, 1)) {
    advance();
    name.parts.push_back(parse_name());
  }
  name.span = span_from(begin);
  return name;
}

bool Parser::at_literal() const {
  return is(Kind::string) || is(Kind::text) || is(Kind::number) || is(Kind::duration);
}

ast::Literal Parser::parse_literal(std::string_view what) {
  ast::Literal literal;
  if (failed_) return literal;
  if (!at_literal()) {
    expected(what);
    return literal;
  }
  if (is(Kind::string)) return parse_plain_string(what);
  const Token& token = advance();
  literal.span = span_of(token);
  std::string_view text = text_of(token);
  if (token.kind == Kind::text) {
    literal.kind = ast::Literal::Kind::text;
    text.remove_prefix(3);
    if (text.ends_with("\"\"\"")) text.remove_suffix(3);
    if (text.starts_with("\r\n")) text.remove_prefix(1);
    if (text.starts_with('\n')) text.remove_prefix(1);
  } else if (token.kind == Kind::number) {
    literal.kind = ast::Literal::Kind::number;
  } else {
    literal.kind = ast::Literal::Kind::duration;
    literal.milliseconds = duration_ms(token);
  }
  literal.text = text;
  return literal;
}

ast::Literal Parser::parse_plain_string(std::string_view what) {
  ast::Literal literal;
  if (failed_) return literal;
  if (!is(Kind::string)) {
    expected(what);
    return literal;
  }
  const Token token = advance();
  bool interpolated = false;
  literal.text = string_content(token, interpolated);
  literal.span = span_of(token);
  if (interpolated) {
    error(ErrorCode::E0012, "`${…}` is not allowed in this string", literal.span,
          "only the text of an expression is computed; write \\$ for a plain dollar sign");
  }
  return literal;
}

std::optional<ast::Literal> Parser::optional_string() {
  if (failed_ || !is(Kind::string) || !same_line()) return std::nullopt;
  return parse_plain_string("a string");
}

/// The text between the quotes with escapes resolved, up to the first `${` when there is one.
std::string Parser::string_content(const Token& token, bool& interpolated) {
  std::string out;
  std::size_t at = token.begin + 1;
  const std::size_t end = token.malformed ? token.end : token.end - 1;
  while (at < end) {
    if (text_[at] == '\\') {
      at = unescape(at, end, out);
    } else if (text_[at] == '$' && at + 1 < end && text_[at + 1] == '{') {
      interpolated = true;
      return out;
    } else {
      out += text_[at++];
    }
  }
  return out;
}

/// Resolves the escape at `at`; returns the place behind it.
std::size_t Parser::unescape(std::size_t at, std::size_t end, std::string& out) {
  const char c = at + 1 < end ? text_[at + 1] : '\0';
  switch (c) {
    case '"':
    case '\\':
    case '$':
      out += c;
      return at + 2;
    case 'n':
      out += '\n';
      return at + 2;
    case 'r':
      out += '\r';
      return at + 2;
    case 't':
      out += '\t';
      return at + 2;
    default:
      break;
  }
  if (c == 'u' && at + 6 <= end) {
    std::uint32_t code = 0;
    bool good = true;
    for (std::size_t i = at + 2; i < at + 6; ++i) {
      const int digit = hex_value(text_[i]);
      good = good && digit >= 0;
      code = code * 16 + static_cast<std::uint32_t>(std::max(digit, 0));
    }
    if (good && (code < 0xD800 || code > 0xDFFF)) {
      base::append_utf8(out, code);
      return at + 6;
    }
  }
  std::size_t behind = std::min(at + 2, end);
  while (behind < end && (static_cast<unsigned char>(text_[behind]) & 0xC0) == 0x80) ++behind;
  const ast::Span span{file_, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(behind)};
  report(ErrorCode::E0007, "unknown escape `" + std::string(text_.substr(at, behind - at)) + "` in a string",
         span)
      .helps.push_back("escapes are \\\" \\\\ \\$ \\n \\r \\t and \\u00e4; write \\\\ for one backslash");
  return behind;
}

ast::ExprPtr Parser::parse_string_expr() {
  const Token token = advance();
  ast::Interpolation out;
  std::string text;
  std::size_t at = token.begin + 1;
  std::size_t text_begin = at;
  const std::size_t end = token.malformed ? token.end : token.end - 1;
  const auto span_between = [&](std::size_t from, std::size_t to) {
    return ast::Span{file_, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to)};
  };
  while (at < end && !failed_) {
    if (text_[at] == '\\') {
      at = unescape(at, end, text);
      continue;
    }
    if (text_[at] != '$' || at + 1 >= end || text_[at + 1] != '{') {
      text += text_[at++];
      continue;
    }
    if (!text.empty()) out.parts.push_back({std::move(text), nullptr, span_between(text_begin, at)});
    text.clear();
    const std::size_t open = at;
    const auto inner_begin = static_cast<std::uint32_t>(at + 2);
    const std::uint32_t close = interpolation_end(text_, inner_begin, static_cast<std::uint32_t>(end));
    if (close == 0) {
      failed_ = failed_ || token.malformed;
      error(ErrorCode::E0002, "this `${` is never closed", span_between(at, at + 2), "end it with `}`");
      break;
    }
    at = text_begin = close;
    out.parts.push_back({{}, parse_interpolated(inner_begin, close - 1), span_between(open, at)});
  }
  if (failed_) return invalid();
  if (out.parts.empty()) {
    return make(token.begin, ast::Literal{ast::Literal::Kind::string, std::move(text), 0, span_of(token)});
  }
  if (!text.empty()) out.parts.push_back({std::move(text), nullptr, span_between(text_begin, end)});
  return make(token.begin, std::move(out));
}

/// The expression of `${…}`: its own tokens, the same depth.
ast::ExprPtr Parser::parse_interpolated(std::uint32_t begin, std::uint32_t end) {
  Parser inner(file_, text_, diagnostics_);
  inner.tokens_ = lex(file_, text_, begin, end, diagnostics_).tokens;
  inner.depth_ = depth_ + 1;
  inner.last_end_ = begin;
  inner.end_name_ = "`}`";
  ast::ExprPtr expr = inner.parse_expr();
  if (!inner.failed_ && !inner.is(Kind::end)) inner.expected("`}`");
  failed_ = failed_ || inner.failed_;
  tallest_ = std::max(tallest_, inner.tallest_);
  return expr;
}

std::int64_t Parser::duration_ms(const Token& token) {
  const std::string_view text = text_of(token);
  std::int64_t value = 0;
  const auto [unit_begin, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<std::size_t>(unit_begin - text.data()));
  const std::int64_t factor = unit == "ms"  ? 1
                              : unit == "s" ? 1000
                              : unit == "m" ? 60'000
                              : unit == "h" ? 3'600'000
                                            : 86'400'000;
  constexpr std::int64_t kMax = std::int64_t{366} * 100 * 86'400'000;  // a century
  if (code == std::errc() && value <= kMax / factor) return value * factor;
  error(ErrorCode::E0010, "this duration is too long", span_of(token));
  return 0;
}

std::int64_t Parser::size_bytes(const Token& token) {
  const std::string_view text = text_of(token);
  std::int64_t value = 0;
  const auto [unit_begin, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  const char unit = *unit_begin;
  const std::int64_t factor = unit == 'k' ? 1 << 10 : unit == 'M' ? 1 << 20 : 1 << 30;
  if (code == std::errc() && value <= (std::int64_t{1} << 50) / factor) return value * factor;
  error(ErrorCode::E0010, "this size is too large", span_of(token));
  return 0;
}

int Parser::parse_integer(const Token& token, int max, std::string_view what) {
  const std::string_view text = text_of(token);
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code == std::errc() && end == text.data() + text.size() && value >= 1 && value <= max) return value;
  error(ErrorCode::E0010, std::string(what) + " is a whole number from 1 to " + std::to_string(max),
        span_of(token));
  return 0;
}

/// "5.1.2" from `offset` of the token on: {5, 1, 2}. Empty after an error.
std::vector<ast::PathNumber> Parser::path_numbers(const Token& token, std::uint32_t offset) {
  std::vector<ast::PathNumber> numbers;
  std::uint32_t at = token.begin + offset;
  for (const std::string_view part : base::split(text_of(token).substr(offset), '.')) {
    const Token piece{Kind::number, false, false, false, at, at + static_cast<std::uint32_t>(part.size())};
    numbers.push_back({parse_integer(piece, kPathNumberMax, "a number in a path"), span_of(piece)});
    at = piece.end + 1;
    if (failed_) return {};
  }
  return numbers;
}

ast::Type Parser::parse_type() {
  ast::Type type;
  const std::uint32_t begin = here();
  const bool qualified = is(Kind::ident, 1) && same_line(1);
  if (qualified && is_word("hl7")) type.model = ast::Type::Model::hl7;
  if (qualified && is_word("fhir")) type.model = ast::Type::Model::fhir;
  if (qualified && is_word("csv")) type.model = ast::Type::Model::csv;
  if (type.model != ast::Type::Model::none) advance();
  type.name = parse_name("a type");
  if (!failed_ && is(Kind::number) && same_line()) type.version = text_of(advance());
  if (!failed_ && is(Kind::left_paren) && adjacent() && is(Kind::string, 1)) {
    advance();
    type.profile = parse_plain_string("a profile name");
    expect(Kind::right_paren);
  }
  if (!failed_ && adjacent()) {
    if (take(Kind::question))
      type.arity = ast::Type::Arity::optional;
    else if (take(Kind::star))
      type.arity = ast::Type::Arity::list;
  }
  type.span = span_from(begin);
  return type;
}

std::vector<ast::Param> Parser::parse_params() {
  std::vector<ast::Param> params;
  expect(Kind::left_paren);
  while (!failed_ && !is(Kind::right_paren)) {
    ast::Param param;
    param.name = parse_name("a parameter name");
    expect(Kind::colon);
    if (!failed_) param.type = parse_type();
    params.push_back(std::move(param));
    if (!take(Kind::comma)) break;
  }
  expect(Kind::right_paren);
  return params;
}

bool Parser::at_policy() const {
  static constexpr std::string_view kWords[] = {"keep",       "omit",   "warn",  "reject",
                                                "quarantine", "delete", "absent"};
  if (at_literal()) return true;
  return std::find(std::begin(kWords), std::end(kWords), word()) != std::end(kWords) && !names_element(0);
}

ast::Policy Parser::parse_policy() {
  using Action = ast::Policy::Action;
  ast::Policy policy;
  const std::uint32_t begin = here();
  if (failed_) return policy;
  if (!at_policy()) {
    expected("a policy", "policies: keep, omit, warn …, reject …, quarantine, delete, absent or a literal");
    return policy;
  }
  if (take_word("warn")) {
    policy.warn = true;
    if (!at_policy() || !same_line() || is_word("warn")) {
      policy.span = span_from(begin);
      return policy;
    }
  }
  policy.action_given = true;
  if (at_literal()) {
    policy.action = Action::literal;
    policy.value = parse_literal();
  } else if (take_word("keep")) {
    policy.action = Action::keep;
  } else if (take_word("omit")) {
    policy.action = Action::omit;
  } else if (take_word("delete")) {
    policy.action = Action::erase;
  } else if (take_word("absent")) {
    policy.action = Action::absent;
  } else if (is_word("reject")) {
    parse_reject(policy);
  } else if (take_word("quarantine")) {
    policy.action = Action::quarantine;
    if (const auto text = optional_string()) policy.text = text->text;
  }
  policy.span = span_from(begin);
  return policy;
}

void Parser::parse_reject(ast::Policy& policy) {
  advance();
  policy.action = ast::Policy::Action::reject;
  if (same_line() && (is_word("AE") || is_word("AR"))) policy.ack = text_of(advance());
  if (!failed_ && same_line() && is(Kind::number)) {
    policy.code = parse_integer(peek(), 999, "the error code (HL7 table 0357)");
    if (!failed_) advance();
  }
  if (const auto text = optional_string()) policy.text = text->text;
}

}  // namespace kiln::mappings::detail
