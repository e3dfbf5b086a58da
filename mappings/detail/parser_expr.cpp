// Expressions, from loosest to tightest: cond (`??`), or, and, not, comparison, sum, product, conversion,
// postfix.

#include "engine/base/limits.h"
#include "mappings/detail/parser.h"

namespace kiln::mappings::detail {

using ast::BinaryOp;
using ast::ExprPtr;
using base::ErrorCode;

namespace {

std::uint32_t height_of(const ExprPtr& expr) {
  return expr ? expr->height : 0;
}

std::uint32_t height_of(const std::vector<ast::Arg>& args) {
  std::uint32_t height = 0;
  for (const ast::Arg& arg : args) height = std::max(height, height_of(arg.value));
  return height;
}

/// Height of the tallest child; only nodes whose children can form a chain need one of their own, since
/// nesting is bounded by Depth and reaches the parent through its other children.
template <class Node>
std::uint32_t child_height(const Node& node) {
  std::uint32_t height = 0;
  const auto add = [&](std::uint32_t other) { height = std::max(height, other); };
  if constexpr (requires { node.base; }) add(height_of(node.base));
  if constexpr (requires { node.operand; }) add(height_of(node.operand));
  if constexpr (requires { node.left; }) add(std::max(height_of(node.left), height_of(node.right)));
  if constexpr (requires { node.selector; }) add(height_of(node.selector.expr));
  if constexpr (requires { node.callee; }) add(height_of(node.callee));
  if constexpr (requires { node.args; }) add(height_of(node.args));
  if constexpr (requires { node.body; }) add(height_of(node.body));
  if constexpr (
      requires { node.value; } && requires { node.condition; }) {
    add(std::max(height_of(node.value), height_of(node.condition)));
  }
  if constexpr (std::is_same_v<Node, ast::IfThenElse>) {
    add(std::max({height_of(node.condition), height_of(node.then), height_of(node.otherwise)}));
  }
  if constexpr (std::is_same_v<Node, ast::Interpolation>) {
    for (const auto& part : node.parts) add(height_of(part.expr));
  }
  if constexpr (std::is_same_v<Node, ast::List>) {
    for (const auto& item : node.items) add(height_of(item));
  }
  if constexpr (std::is_same_v<Node, ast::Match>) {
    add(height_of(node.subject));
    for (const auto& arm : node.arms) add(height_of(arm.value));
  }
  if constexpr (std::is_same_v<Node, ast::Object>) add(node.block->height);
  return height;
}

}  // namespace

template <class Node>
ExprPtr Parser::make(std::uint32_t begin, Node node) {
  auto expr = std::make_unique<ast::Expr>();
  expr->span = span_from(begin);
  expr->height = 1 + child_height(node);
  expr->node = std::move(node);
  if (expr->height > base::limits::kHmapTreeHeightMax) {
    error(ErrorCode::E0008, "this expression is too deep", expr->span,
          "give a part of it a name with `let` or `fn`");
    return invalid();
  }
  tallest_ = std::max(tallest_, expr->height);
  return expr;
}

template ExprPtr Parser::make(std::uint32_t, ast::Literal);
template ExprPtr Parser::make(std::uint32_t, ast::Interpolation);

ExprPtr Parser::invalid() {
  auto expr = std::make_unique<ast::Expr>();
  expr->span = span_of(peek());
  return expr;
}

ExprPtr Parser::parse_expr() {
  const std::uint32_t begin = here();
  ExprPtr value = parse_cond();
  if (failed_ || !is_operator("if")) return value;
  advance();
  ExprPtr condition = parse_cond();
  return make(begin, ast::Guarded{std::move(value), std::move(condition)});
}

ExprPtr Parser::parse_cond() {
  Depth depth(*this);
  if (!depth.ok()) return invalid();
  const std::uint32_t begin = here();
  ExprPtr left = parse_or();
  while (!failed_ && is(Kind::coalesce)) {
    const ast::Span op = span_of(advance());
    ExprPtr right = parse_or();
    left = make(begin, ast::Binary{BinaryOp::coalesce, op, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr Parser::parse_or() {
  const std::uint32_t begin = here();
  ExprPtr left = parse_and();
  while (!failed_ && is_keyword("or")) {
    const ast::Span op = span_of(advance());
    ExprPtr right = parse_and();
    left = make(begin, ast::Binary{BinaryOp::logical_or, op, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr Parser::parse_and() {
  const std::uint32_t begin = here();
  ExprPtr left = parse_not();
  while (!failed_ && is_keyword("and")) {
    const ast::Span op = span_of(advance());
    ExprPtr right = parse_not();
    left = make(begin, ast::Binary{BinaryOp::logical_and, op, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr Parser::parse_not() {
  const std::uint32_t begin = here();
  if (!is_word("not") || !starts_expression(1)) return parse_comparison();
  advance();
  ExprPtr operand = parse_comparison();
  return make(begin, ast::Not{std::move(operand)});
}

std::optional<BinaryOp> Parser::comparison_operator() const {
  switch (peek().kind) {
    case Kind::equal:
      return BinaryOp::eq;
    case Kind::not_equal:
      return BinaryOp::ne;
    case Kind::less:
      return BinaryOp::lt;
    case Kind::less_equal:
      return BinaryOp::le;
    case Kind::greater:
      return BinaryOp::gt;
    case Kind::greater_equal:
      return BinaryOp::ge;
    default:
      break;
  }
  if (is_operator("in")) return BinaryOp::in;
  if (is_operator("contains")) return BinaryOp::contains;
  if (is_operator("matches")) return BinaryOp::matches;
  return std::nullopt;
}

ExprPtr Parser::parse_comparison() {
  const std::uint32_t begin = here();
  ExprPtr left = parse_sum();
  if (failed_) return left;
  if (is_operator("is")) {
    left = parse_is(begin, std::move(left));
  } else if (const auto op = comparison_operator()) {
    const ast::Span op_span = span_of(advance());
    ExprPtr right = parse_sum();
    left = make(begin, ast::Binary{*op, op_span, std::move(left), std::move(right)});
  }
  if (!failed_ && (comparison_operator() || is_operator("is"))) {
    error(ErrorCode::E0001, "comparisons cannot be chained", span_of(peek()),
          "join them with `and`, or put one into parentheses");
  }
  return left;
}

ExprPtr Parser::parse_is(std::uint32_t begin, ExprPtr operand) {
  advance();
  ast::Is test;
  test.operand = std::move(operand);
  test.negated = same_line() && take_word("not");
  const std::uint32_t test_begin = here();
  if (take_word("valued")) {
    test.kind = ast::Is::Kind::valued;
  } else if (take_word("null")) {
    test.kind = ast::Is::Kind::null;
  } else if (is(Kind::ident) && same_line()) {
    test.kind = ast::Is::Kind::type;
    test.type = parse_type();
  } else {
    expected("`valued`, `null` or a type after `is`");
  }
  test.test_span = span_from(test_begin);
  return make(begin, std::move(test));
}

ExprPtr Parser::parse_sum() {
  const std::uint32_t begin = here();
  ExprPtr left = parse_product();
  while (!failed_ && (is(Kind::plus) || is(Kind::minus) || is(Kind::ampersand))) {
    const BinaryOp op = is(Kind::plus)    ? BinaryOp::add
                        : is(Kind::minus) ? BinaryOp::subtract
                                          : BinaryOp::concat;
    const ast::Span op_span = span_of(advance());
    ExprPtr right = parse_product();
    left = make(begin, ast::Binary{op, op_span, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr Parser::parse_product() {
  const std::uint32_t begin = here();
  ExprPtr left = parse_conversion();
  while (!failed_ && (is(Kind::star) || is(Kind::slash))) {
    const BinaryOp op = is(Kind::star) ? BinaryOp::multiply : BinaryOp::divide;
    const ast::Span op_span = span_of(advance());
    ExprPtr right = parse_conversion();
    left = make(begin, ast::Binary{op, op_span, std::move(left), std::move(right)});
  }
  return left;
}

ExprPtr Parser::parse_conversion() {
  const std::uint32_t begin = here();
  ExprPtr value = parse_postfix();
  while (!failed_) {
    if (is_operator("as")) {
      advance();
      ast::Type type = parse_type();
      value = make(begin, ast::As{std::move(value), std::move(type)});
    } else if (is_operator("of")) {
      advance();
      ast::Type type = parse_type();
      value = make(begin, ast::Of{std::move(value), std::move(type)});
    } else if (is_operator("using")) {
      advance();
      ast::Name variant = parse_name("the name of a datatype variant");
      value = make(begin, ast::Using{std::move(value), std::move(variant)});
    } else if (is_operator("each")) {
      advance();
      Depth depth(*this);
      if (!depth.ok()) return invalid();
      ExprPtr body = parse_postfix();
      value = make(begin, ast::Each{std::move(value), std::move(body)});
    } else if (is_operator("via")) {
      advance();
      ast::Via via;
      via.operand = std::move(value);
      via.table = parse_qname("the name of a table");
      if (take_word("else")) via.otherwise = parse_policy();
      value = make(begin, std::move(via));
    } else {
      break;
    }
  }
  return value;
}

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
