// Statements of a block.

#include "mappings/detail/parser.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

const std::vector<std::string_view> kStatementWords = {"let",  "on",      "require", "warn", "create", "add",
                                                       "emit", "include", "skip",    "for",  "when"};

}  // namespace

ast::Block Parser::parse_block(std::string_view what) {
  ast::Block block;
  const std::uint32_t begin = here();
  const std::uint32_t outside = std::exchange(tallest_, 0);
  const bool closed = braces(what, [&] { parse_statement(block.statements); });
  if (!closed) failed_ = true;
  block.span = span_from(begin);
  block.height = tallest_ + 1;
  tallest_ = std::max(outside, block.height);
  return block;
}

/// Appends the next statement; false (and nothing appended) after an error.
bool Parser::parse_statement(std::vector<ast::Stmt>& out) {
  if (misplaced_operator()) return false;
  const std::uint32_t begin = here();
  std::optional<ast::Stmt::Node> node = statement_node();
  if (failed_ || !node) return false;
  ast::Stmt stmt{span_from(begin), std::move(*node)};
  out.push_back(std::move(stmt));
  return true;
}

std::optional<ast::Stmt::Node> Parser::statement_node() {
  if (is_keyword("let")) return parse_let();
  if (is_keyword("on")) return parse_on();
  if (is_keyword("require")) return parse_require();
  if (is_keyword("warn")) return parse_warn();
  if (is_keyword("create")) return parse_create();
  if (is_keyword("include")) return parse_include();
  if (is_keyword("for")) return parse_for();
  if (is_keyword("when")) return parse_when();
  if (is_keyword("add")) {
    advance();
    ast::Name name = parse_name("the name of a segment or group after `add`");
    return ast::Add{std::move(name), parse_block()};
  }
  if (is_keyword("emit")) {
    advance();
    return ast::Emit{parse_block()};
  }
  if (is_keyword("skip")) {
    advance();
    const auto reason = optional_string();
    return ast::Skip{reason ? reason->text : std::string()};
  }
  const bool component = is(Kind::dot) && is(Kind::number, 1);
  if (is(Kind::ident) || is(Kind::v2ref) || component) return parse_assign();
  expected("a statement");
  return std::nullopt;
}

/// `via T` at the start of a line would be read as a statement of its own; says what to do (§16 newline
/// rule).
bool Parser::misplaced_operator() {
  static constexpr std::string_view kOperators[] = {"is",   "as", "of",       "via",     "using",
                                                    "each", "in", "contains", "matches", "if"};
  const std::string_view text = word();
  if (std::find(std::begin(kOperators), std::end(kOperators), text) == std::end(kOperators)) return false;
  if (names_element(0)) return false;
  error(ErrorCode::E0014, "`" + std::string(text) + "` must stand on the line of what it follows",
        span_of(peek()), "join this line with the one above");
  return true;
}

ast::Assign Parser::parse_assign() {
  ast::Assign assign;
  const Token first = peek();
  const bool looks_like_statement =
      is(Kind::ident) && (is(Kind::ident, 1) || is(Kind::string, 1)) && same_line(1);
  assign.target = parse_target();
  if (failed_) return assign;
  if (looks_like_statement) {
    if (const auto help = did_you_mean(text_of(first), kStatementWords)) {
      error(ErrorCode::E0006, "unknown statement `" + std::string(text_of(first)) + "`", span_of(first),
            *help);
      return assign;
    }
  }
  assign.op_span = span_of(peek());
  if (take(Kind::append)) {
    assign.op = ast::Assign::Op::append;
  } else if (take(Kind::set_if_unset)) {
    assign.op = ast::Assign::Op::set_if_unset;
  } else if (!take(Kind::assign)) {
    const bool equal = is(Kind::equal);
    expected("`=`, `+=` or `?=`", equal ? "`==` compares; `=` assigns" : "");
    return assign;
  }
  assign.value = parse_cond();
  parse_assign_clauses(assign);
  return assign;
}

void Parser::parse_assign_clauses(ast::Assign& assign) {
  while (!failed_) {
    if (is_operator("if")) {
      if (given_twice(assign.condition != nullptr, "if")) return;
      advance();
      assign.condition = parse_cond();
    } else if (same_line() && is_keyword("on") && is_word("bad", 1)) {
      if (given_twice(assign.on_bad.has_value(), "on bad")) return;
      advance();
      advance();
      assign.on_bad = parse_policy();
    } else if (same_line() && is_keyword("override")) {
      if (given_twice(assign.override_earlier, "override")) return;
      advance();
      assign.override_earlier = true;
    } else if (is(Kind::at)) {
      if (given_twice(assign.label.has_value(), "@")) return;
      advance();
      assign.label = parse_name("a label");
    } else {
      return;
    }
  }
}

ast::Target Parser::parse_target() {
  ast::Target target;
  const std::uint32_t begin = here();
  if (!failed_ && parse_target_root(target)) {
    while (!failed_ && parse_target_step(target)) {
    }
  }
  target.span = span_from(begin);
  return target;
}

bool Parser::parse_target_root(ast::Target& target) {
  using StepKind = ast::TargetStep::Kind;
  if (is(Kind::v2ref)) {
    const Token token = peek();
    failed_ = failed_ || token.malformed;
    if (failed_) return false;
    const auto numbers = path_numbers(token, 4);
    if (failed_) return false;
    advance();
    const ast::Name segment{std::string(text_.substr(token.begin, 3)), {file_, token.begin, token.begin + 3}};
    target.steps.push_back(
        {StepKind::field, segment, numbers[0].value, {file_, token.begin, numbers[0].span.end}});
    for (std::size_t i = 1; i < numbers.size(); ++i) {
      target.steps.push_back({StepKind::component, {}, numbers[i].value, numbers[i].span});
    }
    return true;
  }
  if (is(Kind::dot) && is(Kind::number, 1)) return parse_target_step(target);
  if (is_word("ext") && is(Kind::left_paren, 1)) {
    const std::uint32_t begin = here();
    advance();
    advance();
    ast::Name name = parse_name("the name of an extension");
    expect(Kind::right_paren);
    target.steps.push_back({StepKind::ext, std::move(name), 0, span_from(begin)});
    return !failed_;
  }
  ast::Name name = parse_name("an element");
  const ast::Span span = name.span;
  target.steps.push_back({StepKind::element, std::move(name), 0, span});
  return !failed_;
}

bool Parser::parse_target_step(ast::Target& target) {
  using StepKind = ast::TargetStep::Kind;
  const std::uint32_t begin = here();
  if (take(Kind::dot)) {
    if (is_word("ext") && is(Kind::left_paren, 1)) return parse_target_root(target);
    if (is(Kind::number)) {
      for (const auto& number : path_numbers(peek(), 0)) {
        target.steps.push_back({StepKind::component, {}, number.value, number.span});
      }
      if (!failed_) advance();
      return !failed_;
    }
    ast::Name name = parse_name("an element after `.`");
    const ast::Span span = name.span;
    target.steps.push_back({StepKind::element, std::move(name), 0, span});
  } else if (is(Kind::colon) && is(Kind::ident, 1)) {
    advance();
    ast::Name name = parse_name();
    target.steps.push_back({StepKind::slice, std::move(name), 0, span_from(begin)});
  } else if (take(Kind::left_bracket)) {
    int number = 0;
    if (is(Kind::number)) {
      number = parse_integer(peek(), 10'000, "an index");
      if (!failed_) advance();
    } else {
      expected("an index",
               "a target takes a number, as in `name[1].family`; `[*]` and `[where …]` only read");
    }
    expect(Kind::right_bracket);
    target.steps.push_back({StepKind::index, {}, number, span_from(begin)});
  } else {
    return false;
  }
  return !failed_;
}

ast::Let Parser::parse_let() {
  ast::Let let;
  advance();
  let.name = parse_name("a name after `let`");
  if (take(Kind::colon)) let.type = parse_type();
  expect(Kind::assign);
  let.value = parse_expr();
  return let;
}

ast::OnEvent Parser::parse_on() {
  using Event = ast::OnEvent::Event;
  ast::OnEvent on;
  advance();
  if (take_word("bad"))
    on.event = Event::bad;
  else if (take_word("null"))
    on.event = Event::null;
  else if (take_word("unmapped"))
    on.event = Event::unmapped;
  else if (take_word("missing"))
    on.event = Event::missing;
  else
    expected("`bad`, `null`, `unmapped` or `missing` after `on`");
  on.policy = parse_policy();
  return on;
}

ast::Require Parser::parse_require() {
  ast::Require require;
  advance();
  require.condition = parse_cond();
  expect_word("else");
  const std::uint32_t begin = here();
  if (!failed_ && take_word("skip")) {
    require.otherwise.action = ast::Policy::Action::skip;
    require.otherwise.action_given = true;
    if (const auto reason = optional_string()) require.otherwise.text = reason->text;
    require.otherwise.span = span_from(begin);
  } else if (is_word("reject") || is_word("quarantine")) {
    require.otherwise = parse_policy();
  } else {
    expected("`reject`, `quarantine` or `skip` after `else`");
  }
  return require;
}

ast::Warn Parser::parse_warn() {
  ast::Warn warn;
  advance();
  warn.text = parse_plain_string("a string after `warn`");
  if (!failed_ && !is_word("if")) expected("`if`");
  take_word("if");
  warn.condition = parse_cond();
  return warn;
}

ast::Create Parser::parse_create() {
  ast::Create create;
  advance();
  create.handle = parse_name("a name for the resource after `create`");
  expect(Kind::colon, "the name of the resource");
  if (!failed_) create.type = parse_type();
  while (!failed_ && !is(Kind::left_brace)) {
    if (is_word("identity")) {
      if (given_twice(create.identity != nullptr, "identity")) break;
      advance();
      create.identity = parse_cond();
    } else if (is_word("request")) {
      if (given_twice(create.request != ast::Create::Request::not_given, "request")) break;
      parse_request(create);
    } else if (is_word("if")) {
      if (given_twice(create.condition != nullptr, "if")) break;
      advance();
      create.condition = parse_cond();
    } else if (is(Kind::at)) {
      if (given_twice(create.label.has_value(), "@")) break;
      advance();
      create.label = parse_name("a label");
    } else {
      expected("`identity`, `request`, `if` or `{`");
    }
  }
  create.body = parse_block();
  return create;
}

void Parser::parse_request(ast::Create& create) {
  static constexpr std::string_view kKinds[] = {"create", "ensure", "update", "upsert", "patch", "none"};
  advance();
  const auto* const kind = std::find(std::begin(kKinds), std::end(kKinds), word());
  if (kind == std::end(kKinds)) {
    const auto help = did_you_mean(word(), {std::begin(kKinds), std::end(kKinds)});
    expected("`create`, `ensure`, `update`, `upsert`, `patch` or `none` after `request`", help.value_or(""));
    return;
  }
  create.request_span = span_of(advance());
  create.request = static_cast<ast::Create::Request>(kind - std::begin(kKinds) + 1);
}

ast::Include Parser::parse_include() {
  ast::Include include;
  advance();
  include.fragment = parse_qname("the name of a fragment after `include`");
  if (!failed_ && is(Kind::left_paren) && same_line()) {
    include.has_args = true;
    include.args = parse_args();
  }
  return include;
}

ast::ForEach Parser::parse_for() {
  ast::ForEach loop;
  advance();
  expect_word("each");
  if (!failed_ && is(Kind::ident) && is_word("in", 1)) {
    loop.binding = parse_name();
    advance();
  }
  loop.source = parse_cond();
  if (take_word("where")) loop.where = parse_cond();
  if (take_word("group")) {
    expect_word("by");
    do {
      loop.group_by.push_back(parse_cond());
    } while (take(Kind::comma));
  }
  loop.body = parse_block();
  return loop;
}

ast::When Parser::parse_when() {
  ast::When when;
  do {
    advance();
    ast::When::Branch branch;
    branch.condition = parse_cond();
    branch.body = parse_block();
    when.branches.push_back(std::move(branch));
    if (failed_ || !is_word("else")) return when;
    advance();
  } while (is_word("when"));
  when.otherwise = parse_block("`when` or `{` after `else`");
  return when;
}

}  // namespace kiln::mappings::detail
