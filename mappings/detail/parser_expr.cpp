// Expressions, from loosest to tightest: cond (`??`), or, and, not, comparison, sum, product, conversion,
// postfix.

#include "mappings/detail/parser_make.h"

namespace kiln::mappings::detail {

using ast::BinaryOp;
using ast::ExprPtr;
using base::ErrorCode;

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

}  // namespace kiln::mappings::detail
