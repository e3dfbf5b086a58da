// Declarations of a file.

#include "mappings/detail/parser.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

void Parser::parse_declaration(ast::File& file) {
  const std::uint32_t begin = here();
  if (is_word("module")) {
    if (given_twice(file.module.has_value(), "module")) return;
    advance();
    file.module = parse_qname("the name of the package");
    return;
  }
  if (is_word("use")) return parse_use(file);
  std::optional<ast::Decl::Node> node = declaration_node();
  if (!node) return;
  if (failed_) return;
  file.decls.push_back({span_from(begin), std::move(*node)});
}

std::optional<ast::Decl::Node> Parser::declaration_node() {
  if (is_word("const")) return parse_const();
  if (is_word("extension")) return parse_extension();
  if (is_word("table")) return parse_table();
  if (is_word("lookup")) return parse_lookup();
  if (is_word("row")) return parse_row();
  if (is_word("csv")) return parse_csv();
  if (is_word("segment")) return parse_segment();
  if (is_word("fn")) return parse_fn();
  if (is_word("datatype")) return parse_datatype();
  if (is_word("fragment")) return parse_fragment();
  if (is_word("map")) return parse_map();
  if (is_word("extend")) return parse_extend();
  if (is_word("test")) return parse_test();
  if (is_word("channel")) return parse_channel();
  if (is_word("server")) return parse_server();
  if (!is(Kind::ident)) {
    expected("a declaration");
    return std::nullopt;
  }
  const auto help =
      did_you_mean(word(), {"module", "use", "const", "extension", "table", "lookup", "row", "csv", "segment",
                            "fn", "datatype", "fragment", "map", "extend", "test", "channel", "server"});
  error(ErrorCode::E0005, "unknown declaration `" + std::string(word()) + "`", span_of(peek()),
        help.value_or(
            "declarations: module, use, const, extension, table, lookup, row, csv, segment, fn, datatype, "
            "fragment, map, extend map, test, channel, server"));
  return std::nullopt;
}

void Parser::parse_use(ast::File& file) {
  ast::UseDecl use;
  const std::uint32_t begin = here();
  advance();
  use.module = parse_qname("the name of a package after `use`");
  if (!failed_ && is(Kind::dot) && is(Kind::left_brace, 1)) {
    advance();
    advance();
    use.has_list = true;
    do {
      use.names.push_back(parse_name());
    } while (take(Kind::comma));
    expect(Kind::right_brace);
  } else if (!failed_ && is_operator("as")) {
    advance();
    use.alias = parse_name("a name after `as`");
  }
  use.span = span_from(begin);
  if (!failed_) file.uses.push_back(std::move(use));
}

ast::ConstDecl Parser::parse_const() {
  ast::ConstDecl decl;
  advance();
  decl.name = parse_name("the name of the constant");
  expect(Kind::assign);
  decl.value = parse_expr();
  return decl;
}

ast::ExtensionDecl Parser::parse_extension() {
  ast::ExtensionDecl decl;
  advance();
  decl.name = parse_name("a short name for the extension");
  expect(Kind::assign);
  decl.url = parse_plain_string("the URL of the extension");
  expect(Kind::colon, "the URL");
  if (!failed_) decl.type = parse_type();
  return decl;
}

ast::TableDecl Parser::parse_table() {
  ast::TableDecl table;
  advance();
  table.name = parse_name("the name of the table");
  if (take_word("system")) table.system = parse_plain_string("the URL of the code system");
  if (take(Kind::assign)) {
    parse_table_source(table);
    return table;
  }
  if (!braces("`{` or `=`", [&] { parse_table_row(table); })) failed_ = true;
  return table;
}

void Parser::parse_table_source(ast::TableDecl& table) {
  using Source = ast::TableDecl::Source;
  if (take_word("csv"))
    table.source = Source::csv;
  else if (take_word("conceptmap"))
    table.source = Source::conceptmap;
  else if (take_word("hl7table"))
    table.source = Source::hl7table;
  else
    expected("`csv`, `conceptmap` or `hl7table`");
  table.location = parse_plain_string(table.source == Source::csv ? "the name of the file" : "a string");
  while (!failed_) {
    if (is_word("key") && is(Kind::ident, 1)) {
      if (given_twice(table.key.has_value(), "key")) return;
      advance();
      table.key = parse_name("the name of the key column");
    } else if (is_word("reload") && is(Kind::duration, 1)) {
      if (given_twice(table.reload.has_value(), "reload")) return;
      advance();
      table.reload = parse_literal();
    } else if (is_word("else")) {
      if (given_twice(table.otherwise.has_value(), "else")) return;
      advance();
      table.otherwise = parse_policy();
    } else {
      return;
    }
  }
}

void Parser::parse_table_row(ast::TableDecl& table) {
  if (is_word("_")) {
    if (given_twice(table.otherwise.has_value(), "_")) return;
    advance();
    expect(Kind::fat_arrow);
    table.otherwise = parse_policy();
    return;
  }
  ast::TableRow row;
  const std::uint32_t begin = here();
  do {
    row.keys.push_back(parse_literal("a code, or `_` for all others"));
  } while (take(Kind::comma));
  expect(Kind::fat_arrow);
  row.value = parse_literal("a code after `=>`");
  if (take_word("display")) row.display = parse_plain_string("the text of the code");
  if (take_word("system")) row.system = parse_plain_string("the code system of this row");
  row.preferred = take_word("preferred");
  row.span = span_from(begin);
  if (!failed_) table.rows.push_back(std::move(row));
}

ast::LookupDecl Parser::parse_lookup() {
  ast::LookupDecl lookup;
  advance();
  lookup.name = parse_name("the name of the lookup");
  lookup.params = parse_params();
  expect(Kind::arrow);
  if (!failed_) lookup.result = parse_type();
  expect_word("via");
  lookup.via = parse_name("the kind of the lookup");
  lookup.query = parse_plain_string("the name of the query");
  while (!failed_) {
    if (is_word("cache") && is(Kind::duration, 1)) {
      if (given_twice(lookup.cache.has_value(), "cache")) break;
      advance();
      lookup.cache = parse_literal();
    } else if (is_word("on") && (is_word("miss", 1) || is_word("error", 1))) {
      auto& policy = is_word("miss", 1) ? lookup.on_miss : lookup.on_error;
      if (given_twice(policy.has_value(), is_word("miss", 1) ? "on miss" : "on error")) break;
      advance();
      advance();
      policy = parse_policy();
    } else {
      break;
    }
  }
  return lookup;
}

ast::RowDecl Parser::parse_row() {
  ast::RowDecl row;
  advance();
  row.name = parse_name("the name of the row type");
  const bool closed = braces("`{`", [&] {
    ast::Param column;
    column.name = parse_name("the name of a column");
    expect(Kind::colon);
    if (!failed_) column.type = parse_type();
    if (!failed_) row.columns.push_back(std::move(column));
    take(Kind::comma);
  });
  if (!closed) failed_ = true;
  return row;
}

ast::CsvDecl Parser::parse_csv() {
  ast::CsvDecl csv;
  advance();
  csv.name = parse_name("the name of the csv type");
  const bool closed = braces("`{`", [&] {
    if (is_word("columns") && is(Kind::left_brace, 1)) {
      advance();
      braces("`{`", [&] {
        ast::CsvColumn column = parse_csv_column();
        if (!failed_) csv.columns.push_back(std::move(column));
      });
      return;
    }
    ast::Option option = parse_csv_option();
    if (!failed_) csv.options.push_back(std::move(option));
  });
  if (!closed) failed_ = true;
  return csv;
}

/// One value each, so that several options may share a line; `null as "…"` has two.
ast::Option Parser::parse_csv_option() {
  ast::Option option;
  const std::uint32_t begin = here();
  option.name = parse_name("an option");
  do {
    if (!failed_ && !at_option_value()) expected("a value after `" + option.name.text + "`");
    if (failed_) break;
    option.values.push_back(parse_option_value());
  } while (option.values.size() == 1 && option.values[0].text == "as");
  option.span = span_from(begin);
  return option;
}

ast::CsvColumn Parser::parse_csv_column() {
  ast::CsvColumn column;
  const std::uint32_t begin = here();
  column.name = parse_name("the name of a column");
  if (!failed_ && is(Kind::string)) column.header = parse_plain_string("the header text of the column");
  if (!failed_ && is(Kind::number)) {
    const auto position = [&] {
      const Token token = peek();
      if (token.kind != Kind::number) expected("a character position");
      if (failed_) return ast::PathNumber{};
      ast::PathNumber number{parse_integer(token, 1'000'000, "a character position"), span_of(token)};
      if (!failed_) advance();
      return number;
    };
    column.from = position();
    expect(Kind::dot_dot);
    column.to = position();
    if (!failed_ && column.to->value < column.from->value) {
      error(ErrorCode::E0010, "a column ends before it starts", column.to->span);
    }
  }
  expect(Kind::colon, "the name of a column");
  if (!failed_) column.type = parse_type();
  if (!failed_ && is(Kind::string)) column.format = parse_plain_string("a format");
  column.required = take_word("required");
  column.span = span_from(begin);
  return column;
}

ast::SegmentDecl Parser::parse_segment() {
  ast::SegmentDecl segment;
  advance();
  segment.name = parse_name("the name of the segment");
  const bool closed = braces("`{`", [&] {
    ast::SegmentField field;
    const Token token = peek();
    if (token.kind != Kind::number) return expected("the number of a field");
    field.number = {parse_integer(token, 999, "the number of a field"), span_of(token)};
    if (failed_) return;
    advance();
    field.name = parse_name("the name of the field");
    expect(Kind::colon);
    field.type = parse_name("the datatype of the field");
    field.repeats = take(Kind::star);
    if (!failed_) segment.fields.push_back(std::move(field));
  });
  if (!closed) failed_ = true;
  return segment;
}

ast::FnDecl Parser::parse_fn() {
  ast::FnDecl fn;
  advance();
  fn.name = parse_name("the name of the function");
  fn.params = parse_params();
  expect(Kind::arrow);
  if (!failed_) fn.result = parse_type();
  expect(Kind::assign);
  fn.body = parse_expr();
  return fn;
}

ast::DatatypeDecl Parser::parse_datatype() {
  ast::DatatypeDecl datatype;
  advance();
  datatype.source = parse_name("a datatype");
  if (take(Kind::at)) datatype.variant = parse_name("the name of the variant after `@`");
  expect(Kind::arrow);
  if (!failed_) datatype.target = parse_type();
  datatype.body = parse_block();
  return datatype;
}

ast::FragmentDecl Parser::parse_fragment() {
  ast::FragmentDecl fragment;
  advance();
  fragment.name = parse_name("the name of the fragment");
  fragment.params = parse_params();
  expect(Kind::arrow);
  if (!failed_) fragment.target = parse_type();
  fragment.body = parse_block();
  return fragment;
}

ast::MapDecl Parser::parse_map() {
  using Interaction = ast::MapDecl::Interaction;
  ast::MapDecl map;
  advance();
  map.name = parse_name("the name of the map");
  map.params = parse_params();
  expect(Kind::arrow);
  const std::uint32_t begin = here();
  if (take_word("fhir"))
    map.model = ast::Type::Model::fhir;
  else if (take_word("hl7"))
    map.model = ast::Type::Model::hl7;
  else if (take_word("csv"))
    map.model = ast::Type::Model::csv;
  else
    expected("`fhir`, `hl7` or `csv`",
             "the target of a map is written `-> fhir Bundle`, `-> hl7 ADT_A08 2.5.1` or `-> csv Rows`");
  map.target = parse_name("the type that the map gives");
  if (!failed_ && is(Kind::number))
    map.version = text_of(advance());
  else if (take_word("transaction"))
    map.interaction = Interaction::transaction;
  else if (take_word("batch"))
    map.interaction = Interaction::batch;
  else if (take_word("message"))
    map.interaction = Interaction::message;
  else if (take_word("collection"))
    map.interaction = Interaction::collection;
  map.target_span = span_from(begin);
  map.strict = take_word("strict");
  map.body = parse_block();
  return map;
}

ast::SetConstDecl Parser::parse_set_const() {
  ast::SetConstDecl set;
  advance();
  set.base = parse_qname("the constant to set");
  expect(Kind::assign);
  set.value = parse_expr();
  return set;
}

ast::Decl::Node Parser::parse_extend() {
  ast::ExtendDecl extend;
  advance();
  if (is_word("const")) return parse_set_const();
  if (!take_word("map")) {
    expected("`map` or `const`", "`extend map own from base { … }`, `extend const package.name = value`");
    return extend;
  }
  extend.name = parse_name("a name for the extended map");
  expect_word("from");
  extend.base = parse_qname("the map to extend");
  const bool closed = braces("`{`", [&] {
    if (is_word("in") && is(Kind::ident, 1)) {
      advance();
      const ast::Name handle = parse_name();
      braces("`{`", [&] { parse_edit(extend, handle); });
      return;
    }
    parse_edit(extend, std::nullopt);
  });
  if (!closed) failed_ = true;
  return extend;
}

void Parser::parse_edit(ast::ExtendDecl& extend, const std::optional<ast::Name>& in) {
  ast::Edit edit;
  edit.in = in;
  const std::uint32_t begin = here();
  if (take_word("remove")) {
    edit.kind = ast::Edit::Kind::remove;
    edit.target = parse_target();
    if (take(Kind::at)) edit.label = parse_name("a label");
  } else if (take_word("replace")) {
    edit.kind = ast::Edit::Kind::replace;
    const std::uint32_t stmt_begin = here();
    ast::Assign assign = parse_assign();
    edit.stmt = std::make_unique<ast::Stmt>(ast::Stmt{span_from(stmt_begin), std::move(assign)});
  } else if (take_word("add")) {
    std::vector<ast::Stmt> one;
    if (parse_statement(one)) edit.stmt = std::make_unique<ast::Stmt>(std::move(one.front()));
  } else {
    expected("`in`, `remove`, `replace` or `add`");
  }
  edit.span = span_from(begin);
  if (!failed_) extend.edits.push_back(std::move(edit));
}

ast::TestDecl Parser::parse_test() {
  ast::TestDecl test;
  advance();
  test.title = parse_plain_string("the title of the test");
  if (!braces("`{`", [&] { parse_test_step(test); })) failed_ = true;
  return test;
}

void Parser::parse_test_step(ast::TestDecl& test) {
  ast::TestStep step;
  const std::uint32_t begin = here();
  if (take_word("given")) {
    ast::GivenStep given;
    given.kind = parse_name("`hl7`, `fhir` or `csv` after `given`");
    if (!failed_ && !is(Kind::text)) expected("a text block", "write the input between `\"\"\"` lines");
    given.text = parse_literal();
    step.node = std::move(given);
  } else if (take_word("fault")) {
    ast::FaultStep fault;
    fault.destination = parse_name("the name of a destination after `fault`");
    fault.reason = parse_plain_string("the reason of the failure");
    if (take_word("times")) {
      if (!failed_ && !is(Kind::number)) expected("a number after `times`");
      if (!failed_) fault.times = parse_integer(peek(), 1'000'000, "the number of failures");
      if (!failed_) advance();
    }
    step.node = std::move(fault);
  } else if (take_word("run")) {
    step.node = ast::RunStep{parse_qname("the name of a map or channel after `run`")};
  } else if (take_word("expect")) {
    step.node = ast::ExpectStep{parse_expr()};
  } else {
    expected("`given`, `fault`, `run` or `expect`");
  }
  step.span = span_from(begin);
  if (!failed_) test.steps.push_back(std::move(step));
}

}  // namespace kiln::mappings::detail
