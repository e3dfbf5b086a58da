// Postfix steps (`.name`, `[…]`, `(…)`), v2 references and primaries.

#include "mappings/detail/parser_make.h"

namespace kiln::mappings::detail {

using ast::ExprPtr;
using base::ErrorCode;

ExprPtr Parser::parse_postfix() {
  const std::uint32_t begin = here();
  ExprPtr value = parse_primary();
  while (!failed_) {
    // `.4` at the start of a line is the target of the next assignment (v2 datatype maps).
    if (is(Kind::dot) && (same_line() || !is(Kind::number, 1))) {
      advance();
      value = parse_dot(begin, std::move(value));
    } else if (is(Kind::left_bracket) && same_line()) {
      value = parse_index(begin, std::move(value));
    } else if (is(Kind::left_paren) && same_line() &&
               (value->get_if<ast::Ident>() != nullptr || value->get_if<ast::Member>() != nullptr)) {
      ast::Call call;
      call.callee = std::move(value);
      call.args = parse_args();
      value = make(begin, std::move(call));
    } else {
      break;
    }
  }
  return value;
}

/// What follows a dot.
ExprPtr Parser::parse_dot(std::uint32_t begin, ExprPtr base) {
  if (is_word("ext") && is(Kind::left_paren, 1) && adjacent(1)) {
    advance();
    advance();
    ast::Name name = parse_name("the name of an extension");
    expect(Kind::right_paren);
    return make(begin, ast::ExtStep{std::move(base), std::move(name)});
  }
  if (is(Kind::ident)) {
    ast::Name name = parse_name();
    return make(begin, ast::Member{std::move(base), std::move(name)});
  }
  if (is(Kind::v2ref)) return parse_v2ref(begin, std::move(base));
  if (is(Kind::number)) {
    const std::vector<ast::PathNumber> numbers = path_numbers(peek(), 0);
    if (failed_) return base;
    advance();
    return add_components(begin, std::move(base), numbers);
  }
  expected("a name or a component number after `.`");
  return base;
}

ExprPtr Parser::add_components(std::uint32_t begin, ExprPtr base,
                               const std::vector<ast::PathNumber>& numbers) {
  for (const ast::PathNumber& number : numbers) {
    auto* path = std::get_if<ast::V2Ref>(&base->node);
    if (path == nullptr) {
      base = make(begin, ast::Component{std::move(base), number});
      base->span.end = number.span.end;
      continue;
    }
    if (path->subcomponent.value != 0) {
      error(ErrorCode::E0010, "a v2 path ends at the subcomponent", number.span,
            "PID-3[1].4.1 is the deepest form");
      return base;
    }
    (path->component.value == 0 ? path->component : path->subcomponent) = number;
    base->span.end = number.span.end;
  }
  return base;
}

ExprPtr Parser::parse_v2ref(std::uint32_t begin, ExprPtr base) {
  const Token token = peek();
  failed_ = failed_ || token.malformed;
  if (failed_) return invalid();
  const std::vector<ast::PathNumber> numbers = path_numbers(token, 4);
  if (failed_) return invalid();
  advance();
  ast::V2Ref path;
  path.base = std::move(base);
  path.segment = {std::string(text_.substr(token.begin, 3)), {file_, token.begin, token.begin + 3}};
  path.field = {numbers[0].value, {file_, token.begin, numbers[0].span.end}};
  ExprPtr value = make(begin, std::move(path));
  if (failed_) return value;
  return add_components(begin, std::move(value), {numbers.begin() + 1, numbers.end()});
}

ExprPtr Parser::parse_index(std::uint32_t begin, ExprPtr base) {
  ast::Selector selector = parse_selector();
  auto* path = std::get_if<ast::V2Ref>(&base->node);
  if (failed_ || path == nullptr || path->component.value != 0 ||
      path->selector.kind != ast::Selector::Kind::none) {
    return make(begin, ast::Index{std::move(base), std::move(selector)});
  }
  path->selector = std::move(selector);
  base->span = span_from(begin);
  base->height = std::max(base->height, 1 + height_of(path->selector.expr));
  return base;
}

ast::Selector Parser::parse_selector() {
  using SelectorKind = ast::Selector::Kind;
  ast::Selector selector;
  const std::uint32_t begin = here();
  advance();
  if (is(Kind::star) && is(Kind::right_bracket, 1)) {
    advance();
    selector.kind = SelectorKind::all;
  } else if (is_word("last") && is(Kind::right_bracket, 1)) {
    advance();
    selector.kind = SelectorKind::last;
  } else if (is_word("where") && starts_expression(1)) {
    advance();
    selector.kind = SelectorKind::where;
    selector.expr = parse_cond();
  } else {
    selector.kind = SelectorKind::at;
    selector.expr = parse_cond();
  }
  expect(Kind::right_bracket);
  selector.span = span_from(begin);
  return selector;
}

std::vector<ast::Arg> Parser::parse_args() {
  std::vector<ast::Arg> args;
  expect(Kind::left_paren);
  while (!failed_ && !is(Kind::right_paren)) {
    ast::Arg arg;
    if (is(Kind::ident) && is(Kind::assign, 1)) {
      arg.name = parse_name();
      advance();
    }
    arg.value = parse_cond();
    args.push_back(std::move(arg));
    if (!take(Kind::comma)) break;
  }
  expect(Kind::right_paren);
  return args;
}

/// Whether an operand can begin there: tells the operators `not`, `match`, `if` from names spelled alike.
bool Parser::starts_expression(std::size_t ahead) const {
  switch (peek(ahead).kind) {
    case Kind::ident:
    case Kind::v2ref:
    case Kind::number:
    case Kind::duration:
    case Kind::string:
    case Kind::text:
    case Kind::regex:
    case Kind::left_paren:
    case Kind::left_brace:
      return true;
    case Kind::dot:
    case Kind::left_bracket:
      return !adjacent(ahead);
    default:
      return false;
  }
}

ExprPtr Parser::parse_primary() {
  if (failed_) return invalid();
  const std::uint32_t begin = here();
  switch (peek().kind) {
    case Kind::string:
      return parse_string_expr();
    case Kind::text:
    case Kind::number:
    case Kind::duration:
      return make(begin, parse_literal());
    case Kind::regex: {
      const Token token = advance();
      const std::uint32_t end = token.malformed ? token.end : token.end - 1;
      return make(begin, ast::Regex{std::string(text_.substr(begin + 3, end - begin - 3))});
    }
    case Kind::v2ref:
      return parse_v2ref(begin, nullptr);
    case Kind::ident:
      return parse_word_primary();
    case Kind::dot: {
      advance();
      ExprPtr self = make(begin, ast::This{});
      const bool step = is(Kind::ident) || is(Kind::number) || is(Kind::v2ref);
      return step && adjacent() ? parse_dot(begin, std::move(self)) : std::move(self);
    }
    case Kind::left_paren: {
      advance();
      ExprPtr inner = parse_expr();
      expect(Kind::right_paren);
      inner->span = span_from(begin);
      return inner;
    }
    case Kind::left_bracket: {
      advance();
      ast::List list;
      while (!failed_ && !is(Kind::right_bracket)) {
        list.items.push_back(parse_cond());
        if (!take(Kind::comma)) break;
      }
      expect(Kind::right_bracket);
      return make(begin, std::move(list));
    }
    case Kind::left_brace: {
      auto block = std::make_unique<ast::Block>(parse_block());
      return make(begin, ast::Object{std::move(block)});
    }
    case Kind::minus:
      expected("a value", "there are no negative literals; write `0 - 5`");
      return invalid();
    default:
      expected("a value");
      return invalid();
  }
}

ExprPtr Parser::parse_word_primary() {
  const std::uint32_t begin = here();
  const bool plain = !is(Kind::left_paren, 1) && !names_element(0);
  if (plain && is_word("omit")) {
    advance();
    return make(begin, ast::Omit{});
  }
  if (plain && is_word("skip")) {
    advance();
    return make(begin, ast::SkipValue{});
  }
  if (is_word("ref") && is(Kind::ident, 1) && same_line(1)) {
    advance();
    ast::Name handle = parse_name();
    return make(begin, ast::Ref{std::move(handle)});
  }
  if (is_word("ext") && is(Kind::left_paren, 1)) {
    advance();
    advance();
    ast::Name name = parse_name("the name of an extension");
    expect(Kind::right_paren);
    ExprPtr self = make(begin, ast::This{});
    return make(begin, ast::ExtStep{std::move(self), std::move(name)});
  }
  if (is_word("if") && starts_expression(1)) return parse_if();
  if (is_word("match") && starts_expression(1)) return parse_match();
  ast::Ident ident{std::string(text_of(advance()))};
  return make(begin, std::move(ident));
}

ExprPtr Parser::parse_if() {
  const std::uint32_t begin = here();
  advance();
  ast::IfThenElse node;
  node.condition = parse_cond();
  expect_word("then");
  node.then = parse_cond();
  expect_word("else");
  node.otherwise = parse_cond();
  return make(begin, std::move(node));
}

ExprPtr Parser::parse_match() {
  const std::uint32_t begin = here();
  advance();
  ast::Match node;
  node.subject = parse_cond();
  const bool closed = braces("`{`", [&] {
    ast::MatchArm arm;
    const std::uint32_t arm_begin = here();
    do {
      arm.patterns.push_back(parse_pattern());
    } while (take(Kind::comma));
    expect(Kind::fat_arrow);
    arm.value = parse_expr();
    arm.span = span_from(arm_begin);
    if (!failed_) node.arms.push_back(std::move(arm));
  });
  if (!closed) failed_ = true;
  return make(begin, std::move(node));
}

ast::Pattern Parser::parse_pattern() {
  using PatternKind = ast::Pattern::Kind;
  ast::Pattern pattern;
  const std::uint32_t begin = here();
  if (at_literal()) {
    pattern.kind = PatternKind::literal;
    pattern.literal = parse_literal();
  } else if (is(Kind::regex)) {
    pattern.kind = PatternKind::regex;
    const Token token = advance();
    pattern.regex = text_.substr(begin + 3, (token.malformed ? token.end : token.end - 1) - begin - 3);
  } else if (is_word("is")) {
    advance();
    pattern.kind = PatternKind::is_type;
    pattern.type = parse_type();
  } else if (!take_word("_")) {
    expected("a pattern", "patterns: a literal, re\"…\", `is Type`, or `_` for all others");
  }
  pattern.span = span_from(begin);
  return pattern;
}

}  // namespace kiln::mappings::detail
