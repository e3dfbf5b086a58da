// Channel and server blocks (hmap.md §20), as neutral option trees.

#include "mappings/detail/parser.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

ast::ChannelDecl Parser::parse_channel() {
  ast::ChannelDecl channel;
  advance();
  channel.name = parse_name("the name of the channel");
  channel.disabled = take_word("disabled");
  if (!braces("`{`", [&] { parse_channel_clause(channel); })) failed_ = true;
  return channel;
}

void Parser::parse_channel_clause(ast::ChannelDecl& channel) {
  const auto keep = [this](auto& list, auto clause) {
    if (!failed_) list.push_back(std::move(clause));
  };
  if (is_word("source")) {
    ast::SourceClause source;
    const std::uint32_t begin = here();
    advance();
    source.connector = parse_name("the kind of the source");
    source.options = parse_options();
    source.span = span_from(begin);
    return keep(channel.sources, std::move(source));
  }
  if (is_word("accept")) return keep(channel.accepts, parse_accept());
  if (is_word("ack")) return keep(channel.acks, parse_ack());
  if (is_word("map")) return keep(channel.routes, parse_route());
  if (is_word("to")) return keep(channel.destinations, parse_destination());
  keep(channel.options, parse_option());
}

ast::AcceptClause Parser::parse_accept() {
  ast::AcceptClause accept;
  const std::uint32_t begin = here();
  advance();
  do {
    accept.types.push_back(parse_type());
  } while (take(Kind::comma));
  if (take_word("where")) accept.where = parse_cond();
  if (take_word("else")) {
    const std::uint32_t policy_begin = here();
    if (take_word("skip")) {
      ast::Policy policy;
      policy.action = ast::Policy::Action::skip;
      policy.action_given = true;
      if (const auto reason = optional_string()) policy.text = reason->text;
      policy.span = span_from(policy_begin);
      accept.otherwise = std::move(policy);
    } else {
      accept.otherwise = parse_policy();
    }
  }
  accept.span = span_from(begin);
  return accept;
}

ast::AckClause Parser::parse_ack() {
  ast::AckClause ack;
  const std::uint32_t begin = here();
  advance();
  if (is_word("auto") || is_word("original") || is_word("enhanced") || is_word("none"))
    ack.mode = parse_name();
  else
    expected("`auto`, `original`, `enhanced` or `none` after `ack`");
  if (take_word("on")) {
    if (is_word("stored") || is_word("mapped") || is_word("delivered"))
      ack.on = parse_name();
    else
      expected("`stored`, `mapped` or `delivered` after `on`");
  }
  if (!failed_ && is(Kind::left_brace) && same_line()) {
    ack.has_options = true;
    ack.options = parse_options();
  }
  ack.span = span_from(begin);
  return ack;
}

ast::RouteClause Parser::parse_route() {
  ast::RouteClause route;
  const std::uint32_t begin = here();
  advance();
  route.result = parse_name("a name for the result");
  expect(Kind::assign);
  route.map = parse_qname("the name of a map");
  if (!failed_ && is(Kind::left_paren) && same_line()) {
    route.has_args = true;
    route.args = parse_args();
  }
  if (!failed_ && is_operator("of")) {
    advance();
    route.of = parse_name("the name of a result after `of`");
  }
  if (!failed_ && is_operator("if")) {
    advance();
    route.condition = parse_cond();
  }
  route.span = span_from(begin);
  return route;
}

ast::DestinationClause Parser::parse_destination() {
  ast::DestinationClause destination;
  const std::uint32_t begin = here();
  advance();
  destination.name = parse_name("a name for the destination");
  expect(Kind::colon, "the name of the destination");
  destination.connector = parse_name("the kind of the destination");
  if (take_word("from")) destination.from = parse_name("`source` or the name of a result after `from`");
  if (take_word("if")) destination.condition = parse_cond();
  destination.options = parse_options();
  destination.span = span_from(begin);
  return destination;
}

ast::ServerDecl Parser::parse_server() {
  ast::ServerDecl server;
  server.name_span = span_of(advance());
  server.options = parse_options();
  return server;
}

std::vector<ast::Option> Parser::parse_options() {
  std::vector<ast::Option> options;
  const bool closed = braces("`{`", [&] {
    ast::Option option = parse_option();
    if (!failed_) options.push_back(std::move(option));
  });
  if (!closed) failed_ = true;
  return options;
}

ast::Option Parser::parse_option() {
  ast::Option option;
  const std::uint32_t begin = here();
  option.name = parse_name("an option");
  if (failed_) return option;
  if (is_word("by") && same_line()) {
    advance();
    do {
      option.by.push_back(parse_cond());
    } while (take(Kind::comma));
  } else {
    parse_option_values(option);
  }
  option.span = span_from(begin);
  return option;
}

void Parser::parse_option_values(ast::Option& option) {
  while (!failed_ && at_option_value()) option.values.push_back(parse_option_value());
  if (!failed_ && is(Kind::left_brace) && same_line()) {
    option.has_children = true;
    option.children = parse_options();
  }
  if (!failed_ && option.values.empty() && !option.has_children) {
    expected("a value or `{` after `" + option.name.text + "`", "values stand on the line of their option");
  }
}

bool Parser::at_option_value() const {
  if (!same_line()) return false;
  switch (peek().kind) {
    case Kind::string:
    case Kind::number:
    case Kind::address:
    case Kind::size:
    case Kind::duration:
    case Kind::ident:
    case Kind::left_bracket:
      return true;
    default:
      return false;
  }
}

ast::OptionValue Parser::parse_option_value() {
  using ValueKind = ast::OptionValue::Kind;
  ast::OptionValue value;
  const std::uint32_t begin = here();
  if (is(Kind::string)) {
    value.kind = ValueKind::string;
    ast::ExprPtr text = parse_string_expr();
    if (auto* literal = std::get_if<ast::Literal>(&text->node))
      value.text = std::move(literal->text);
    else
      value.expr = std::move(text);
  } else if (is(Kind::left_bracket)) {
    const std::uint32_t end = bracketed_address_end(text_, begin);
    if (end == 0) {
      expected("a value", "an IPv6 address is written [::1]:8080");
      return value;
    }
    value.kind = ValueKind::address;
    value.text = text_.substr(begin, end - begin);
    while (!is(Kind::end) && peek().begin < end) advance();
  } else {
    const Token token = advance();
    value.text = text_of(token);
    if (token.kind == Kind::number) value.kind = ValueKind::number;
    if (token.kind == Kind::address) value.kind = ValueKind::address;
    if (token.kind == Kind::size) {
      value.kind = ValueKind::size;
      value.number = size_bytes(token);
    }
    if (token.kind == Kind::duration) parse_duration_value(value, token);
    if (token.kind == Kind::ident && is(Kind::left_paren) && same_line()) {
      value.kind = ValueKind::call;
      value.args = parse_args();
    }
  }
  value.span = span_from(begin);
  return value;
}

void Parser::parse_duration_value(ast::OptionValue& value, const Token& token) {
  value.kind = ast::OptionValue::Kind::duration;
  value.number = duration_ms(token);
  if (!take(Kind::dot_dot)) return;
  value.kind = ast::OptionValue::Kind::duration_range;
  if (!is(Kind::duration)) return expected("a duration after `..`");
  const Token upper = advance();
  value.text.append("..").append(text_of(upper));
  value.number_end = duration_ms(upper);
  if (!failed_ && value.number_end < value.number) {
    error(ErrorCode::E0010, "this range ends before it starts", span_of(upper));
  }
}

}  // namespace kiln::mappings::detail
