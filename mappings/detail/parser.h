#pragma once
// Recursive descent over the tokens of one file. After an error every function returns at once (failed_)
// until a statement, declaration or option list resumes; so each mistake is reported once.

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/diagnostic.h"
#include "mappings/ast.h"
#include "mappings/detail/lexer.h"

namespace kiln::mappings::detail {

class Parser {
 public:
  Parser(std::uint32_t file, std::string_view text, base::Diagnostics& diagnostics)
      : file_(file), text_(text), diagnostics_(diagnostics) {}

  ast::File parse_file();

 private:
  using Kind = TokenKind;
  using Words = std::initializer_list<std::string_view>;

  // ---- parser.cpp: tokens, errors, recovery ----
  const Token& peek(std::size_t ahead = 0) const;
  std::string_view text_of(const Token& token) const {
    return text_.substr(token.begin, token.end - token.begin);
  }
  std::string_view word(std::size_t ahead = 0) const;  ///< of an identifier, else ""
  bool is(Kind kind, std::size_t ahead = 0) const { return peek(ahead).kind == kind; }
  bool is_word(std::string_view text, std::size_t ahead = 0) const { return word(ahead) == text; }
  bool same_line(std::size_t ahead = 0) const { return !peek(ahead).newline_before; }
  bool adjacent(std::size_t ahead = 0) const { return !peek(ahead).space_before; }
  /// The word stands here and is no element name (§16: followed by `=`, `+=`, `?=`, `.` or `[`).
  bool is_keyword(std::string_view text) const;
  bool names_element(std::size_t word_at) const;
  /// A word operator: on the line of what it follows.
  bool is_operator(std::string_view text) const;

  const Token& advance();
  bool take(Kind kind);
  bool take_word(std::string_view text);
  bool expect(Kind kind, std::string_view after = {});
  bool expect_word(std::string_view text);
  ast::Span span_from(std::uint32_t begin) const { return {file_, begin, std::max(begin, last_end_)}; }
  ast::Span span_of(const Token& token) const { return {file_, token.begin, token.end}; }
  std::uint32_t here() const { return peek().begin; }

  base::Diagnostic& report(base::ErrorCode code, std::string message, ast::Span span);
  /// "expected X, found Y" at the next token; fails the current construct.
  void expected(std::string_view what, std::string help = {});
  /// A message at `span`; fails the current construct.
  void error(base::ErrorCode code, std::string message, ast::Span span, std::string help = {});
  std::string found() const;
  std::optional<std::string> did_you_mean(std::string_view wrong,
                                          std::vector<std::string_view> candidates) const;
  bool given_twice(bool already, std::string_view clause);

  bool at_declaration() const;
  void recover_declaration();
  /// Skips to the next statement, row or option of the list whose open braces are `level`.
  void recover_in_block(std::size_t level);
  /// `{ item… }` with recovery; `item` parses one. Returns false when the braces could not be matched.
  template <class Item>
  bool braces(std::string_view what, Item item);
  void report_unclosed(ast::Span open);

  class Depth {
   public:
    explicit Depth(Parser& parser);
    ~Depth() { --parser_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;
    bool ok() const { return ok_; }

   private:
    Parser& parser_;
    bool ok_;
  };

  // ---- parser_literals.cpp ----
  ast::Name parse_name(std::string_view what = "a name");
  ast::QName parse_qname(std::string_view what = "a name");
  ast::Literal parse_literal(std::string_view what = "a literal");
  ast::Literal parse_plain_string(std::string_view what);
  std::optional<ast::Literal> optional_string();
  bool at_literal() const;
  std::string string_content(const Token& token, bool& interpolated);
  ast::ExprPtr parse_string_expr();
  std::size_t unescape(std::size_t at, std::size_t end, std::string& out);
  ast::ExprPtr parse_interpolated(std::uint32_t begin, std::uint32_t end);
  std::int64_t duration_ms(const Token& token);
  std::int64_t size_bytes(const Token& token);
  int parse_integer(const Token& token, int max, std::string_view what);
  std::vector<ast::PathNumber> path_numbers(const Token& token, std::uint32_t offset);
  ast::Type parse_type();
  ast::Policy parse_policy();
  void parse_reject(ast::Policy& policy);
  bool at_policy() const;
  std::vector<ast::Param> parse_params();

  // ---- parser_expr.cpp ----
  template <class Node>
  ast::ExprPtr make(std::uint32_t begin, Node node);
  ast::ExprPtr invalid();
  ast::ExprPtr parse_expr();
  ast::ExprPtr parse_cond();
  ast::ExprPtr parse_or();
  ast::ExprPtr parse_and();
  ast::ExprPtr parse_not();
  ast::ExprPtr parse_comparison();
  ast::ExprPtr parse_is(std::uint32_t begin, ast::ExprPtr operand);
  ast::ExprPtr parse_sum();
  ast::ExprPtr parse_product();
  ast::ExprPtr parse_conversion();
  ast::ExprPtr parse_postfix();
  ast::ExprPtr parse_dot(std::uint32_t begin, ast::ExprPtr base);
  ast::ExprPtr parse_v2ref(std::uint32_t begin, ast::ExprPtr base);
  ast::ExprPtr add_components(std::uint32_t begin, ast::ExprPtr base,
                              const std::vector<ast::PathNumber>& numbers);
  ast::ExprPtr parse_index(std::uint32_t begin, ast::ExprPtr base);
  ast::Selector parse_selector();
  ast::ExprPtr parse_primary();
  ast::ExprPtr parse_word_primary();
  ast::ExprPtr parse_if();
  ast::ExprPtr parse_match();
  ast::Pattern parse_pattern();
  std::vector<ast::Arg> parse_args();
  bool starts_expression(std::size_t ahead) const;
  std::optional<ast::BinaryOp> comparison_operator() const;

  // ---- parser_stmt.cpp ----
  ast::Block parse_block(std::string_view what = "`{`");
  bool parse_statement(std::vector<ast::Stmt>& out);
  std::optional<ast::Stmt::Node> statement_node();
  bool misplaced_operator();
  ast::Assign parse_assign();
  void parse_assign_clauses(ast::Assign& assign);
  ast::Target parse_target();
  bool parse_target_root(ast::Target& target);
  bool parse_target_step(ast::Target& target);
  ast::Let parse_let();
  ast::OnEvent parse_on();
  ast::Require parse_require();
  ast::Warn parse_warn();
  ast::Create parse_create();
  void parse_request(ast::Create& create);
  ast::Include parse_include();
  ast::ForEach parse_for();
  ast::When parse_when();

  // ---- parser_decl.cpp ----
  void parse_declaration(ast::File& file);
  std::optional<ast::Decl::Node> declaration_node();
  void parse_use(ast::File& file);
  ast::ConstDecl parse_const();
  ast::ExtensionDecl parse_extension();
  ast::TableDecl parse_table();
  void parse_table_source(ast::TableDecl& table);
  void parse_table_row(ast::TableDecl& table);
  ast::LookupDecl parse_lookup();
  ast::RowDecl parse_row();
  ast::CsvDecl parse_csv();
  ast::Option parse_csv_option();
  ast::CsvColumn parse_csv_column();
  ast::SegmentDecl parse_segment();
  ast::FnDecl parse_fn();
  ast::DatatypeDecl parse_datatype();
  ast::FragmentDecl parse_fragment();
  ast::MapDecl parse_map();
  ast::Decl::Node parse_extend();
  ast::SetConstDecl parse_set_const();
  void parse_edit(ast::ExtendDecl& extend, const std::optional<ast::Name>& in);
  ast::TestDecl parse_test();
  void parse_test_step(ast::TestDecl& test);

  // ---- parser_channel.cpp ----
  ast::ChannelDecl parse_channel();
  void parse_channel_clause(ast::ChannelDecl& channel);
  ast::AcceptClause parse_accept();
  ast::AckClause parse_ack();
  ast::RouteClause parse_route();
  ast::DestinationClause parse_destination();
  ast::ServerDecl parse_server();
  std::vector<ast::Option> parse_options();
  ast::Option parse_option();
  void parse_option_values(ast::Option& option);
  bool at_option_value() const;
  ast::OptionValue parse_option_value();
  void parse_duration_value(ast::OptionValue& value, const Token& token);

  std::uint32_t file_;
  std::string_view text_;
  base::Diagnostics& diagnostics_;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  std::uint32_t last_end_ = 0;  ///< of the token taken last
  std::size_t open_braces_ = 0;
  std::size_t depth_ = 0;
  std::size_t unclosed_at_ = SIZE_MAX;  ///< token at which a missing `}` was reported
  std::uint32_t tallest_ = 0;           ///< height of the tallest expression finished in the current block
  bool failed_ = false;
  std::string_view end_name_ = "the end of the file";
};

template <class Item>
bool Parser::braces(std::string_view what, Item item) {
  const Token open = peek();
  if (failed_) return false;
  if (open.kind != Kind::left_brace) {
    expected(what);
    return false;
  }
  Depth depth(*this);
  if (!depth.ok()) return false;
  advance();
  const std::size_t level = open_braces_;
  for (;;) {
    if (failed_) {
      failed_ = false;
      recover_in_block(level);
    }
    if (take(Kind::semicolon)) continue;
    if (is(Kind::right_brace)) {
      advance();
      return true;
    }
    if (is(Kind::end) || at_declaration()) {
      report_unclosed(span_of(open));
      open_braces_ = level - 1;
      return false;
    }
    const std::size_t before = next_;
    item();
    if (failed_ && next_ == before) advance();
  }
}

}  // namespace kiln::mappings::detail
