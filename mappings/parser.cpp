#include "mappings/parser.h"

#include "engine/base/limits.h"
#include "engine/base/text.h"
#include "mappings/detail/parser.h"

namespace kiln::mappings {

namespace detail {

using base::ErrorCode;

const Token& Parser::peek(std::size_t ahead) const {
  return tokens_[std::min(next_ + ahead, tokens_.size() - 1)];
}

std::string_view Parser::word(std::size_t ahead) const {
  const Token& token = peek(ahead);
  return token.kind == Kind::ident ? text_of(token) : std::string_view();
}

bool Parser::names_element(std::size_t word_at) const {
  switch (peek(word_at + 1).kind) {
    case Kind::assign:
    case Kind::append:
    case Kind::set_if_unset:
      return true;
    // `when .use == "old"` and `for each …` go on with a path of their own; `Task.for.x` is written without a
    // blank.
    case Kind::dot:
    case Kind::left_bracket:
      return adjacent(word_at + 1);
    default:
      return false;
  }
}

bool Parser::is_keyword(std::string_view text) const {
  return is_word(text) && !names_element(0);
}

bool Parser::is_operator(std::string_view text) const {
  if (!is_word(text) || !same_line()) return false;
  const Token& after = peek(1);
  if (after.kind == Kind::left_bracket) return true;  // `x in["A"]`
  return !names_element(0);
}

const Token& Parser::advance() {
  const Token& token = peek();
  if (token.kind == Kind::left_brace) ++open_braces_;
  if (token.kind == Kind::right_brace && open_braces_ > 0) --open_braces_;
  last_end_ = token.end;
  if (next_ + 1 < tokens_.size()) ++next_;
  return token;
}

bool Parser::take(Kind kind) {
  if (failed_ || !is(kind)) return false;
  advance();
  return true;
}

bool Parser::take_word(std::string_view text) {
  if (failed_ || !is_word(text)) return false;
  advance();
  return true;
}

bool Parser::expect(Kind kind, std::string_view after) {
  if (take(kind)) return true;
  std::string what(describe(kind));
  if (!after.empty()) what.append(" after ").append(after);
  expected(what);
  return false;
}

bool Parser::expect_word(std::string_view text) {
  if (take_word(text)) return true;
  expected("`" + std::string(text) + "`");
  return false;
}

base::Diagnostic& Parser::report(ErrorCode code, std::string message, ast::Span span) {
  base::Diagnostic diagnostic;
  diagnostic.code = code;
  diagnostic.message = std::move(message);
  diagnostic.span = span;
  return diagnostics_.add(std::move(diagnostic));
}

void Parser::error(ErrorCode code, std::string message, ast::Span span, std::string help) {
  if (failed_) return;
  failed_ = true;
  base::Diagnostic& diagnostic = report(code, std::move(message), span);
  if (!help.empty()) diagnostic.helps.push_back(std::move(help));
}

std::string Parser::found() const {
  const Token& token = peek();
  if (token.kind == Kind::end) return std::string(end_name_);
  if (token.kind == Kind::string || token.kind == Kind::text || token.kind == Kind::regex) {
    return std::string(describe(token.kind));
  }
  return "`" + std::string(text_of(token)) + "`";
}

void Parser::expected(std::string_view what, std::string help) {
  // The lexer has said what is wrong with a malformed token; a second message about it would be noise.
  if (peek().malformed) {
    failed_ = true;
    return;
  }
  error(ErrorCode::E0001, "expected " + std::string(what) + ", found " + found(), span_of(peek()),
        std::move(help));
}

std::optional<std::string> Parser::did_you_mean(std::string_view wrong,
                                                std::vector<std::string_view> candidates) const {
  const std::string_view near = base::nearest(wrong, candidates);
  if (near.empty()) return std::nullopt;
  return "did you mean `" + std::string(near) + "`?";
}

bool Parser::given_twice(bool already, std::string_view clause) {
  if (!already) return false;
  error(ErrorCode::E0013, "`" + std::string(clause) + "` is given twice", span_of(peek()));
  return true;
}

Parser::Depth::Depth(Parser& parser)
    : parser_(parser), ok_(++parser.depth_ <= base::limits::kHmapNestingMax) {
  if (ok_) return;
  parser.error(ErrorCode::E0008,
               "this is nested more than " + std::to_string(base::limits::kHmapNestingMax) + " levels deep",
               parser.span_of(parser.peek()), "give the inner part a name with `let` or `fn`");
}

namespace {

constexpr std::string_view kDeclarationWords[] = {
    "module", "use",      "const",    "extension", "table",  "lookup", "row",     "csv",   "segment",
    "fn",     "datatype", "fragment", "map",       "extend", "test",   "channel", "server"};

}  // namespace

// Only at the first column: words such as `map` and `use` are also clauses and element names.
bool Parser::at_declaration() const {
  const Token& token = peek();
  if (token.kind != Kind::ident || (token.begin != 0 && text_[token.begin - 1] != '\n')) return false;
  const std::string_view text = text_of(token);
  if (std::find(std::begin(kDeclarationWords), std::end(kDeclarationWords), text) ==
      std::end(kDeclarationWords)) {
    return false;
  }
  const Kind after = peek(1).kind;
  if (text == "test") return after == Kind::string;
  if (text == "server") return after == Kind::left_brace;
  return after == Kind::ident && same_line(1);
}

void Parser::recover_declaration() {
  failed_ = false;
  while (!is(Kind::end) && !at_declaration()) advance();
  open_braces_ = 0;
}

void Parser::recover_in_block(std::size_t level) {
  bool first = true;
  for (; !is(Kind::end) && !at_declaration(); first = false) {
    if (open_braces_ < level) {
      // The broken part ate the brace of this list: what follows belongs to an outer one.
      open_braces_ = level;
      return;
    }
    const bool here_level = open_braces_ == level;
    if (here_level && (is(Kind::right_brace) || is(Kind::semicolon))) return;
    if (here_level && !first && peek().newline_before) return;
    if (here_level && first && peek().newline_before && (is(Kind::ident) || is(Kind::v2ref))) return;
    advance();
  }
}

void Parser::report_unclosed(ast::Span open) {
  // The innermost list says it; the lists around it end at the same token.
  if (std::exchange(unclosed_at_, next_) == next_) return;
  if (next_ > 0 && tokens_[next_ - 1].malformed) return;  // an open text block has swallowed the brace
  base::Diagnostic& diagnostic = report(ErrorCode::E0001, "expected `}`, found " + found(), span_of(peek()));
  const std::string_view before = text_.substr(0, open.begin);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  diagnostic.notes.push_back("the `{` of line " + std::to_string(line) + " is not closed");
}

ast::File Parser::parse_file() {
  ast::File file;
  file.source = file_;
  std::uint32_t begin = text_.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  Lexed lexed = lex(file_, text_, begin, static_cast<std::uint32_t>(text_.size()), diagnostics_);
  tokens_ = std::move(lexed.tokens);
  file.comments = std::move(lexed.comments);
  while (!is(Kind::end)) {
    if (take(Kind::semicolon)) continue;
    const std::size_t before = next_;
    parse_declaration(file);
    if (failed_ && next_ == before) advance();
    if (failed_) recover_declaration();
  }
  return file;
}

}  // namespace detail

ast::File parse(const base::SourceMap& sources, std::uint32_t source, base::Diagnostics& diagnostics) {
  const std::string& text = sources.file(source).text;
  ast::File file;
  file.source = source;
  base::Diagnostic diagnostic;
  diagnostic.span = {source, 0, 0};
  if (text.size() > base::limits::kHmapFileBytesMax) {
    diagnostic.code = base::ErrorCode::E0009;
    diagnostic.message = "the file has " + std::to_string(text.size()) + " bytes; the limit is " +
                         std::to_string(base::limits::kHmapFileBytesMax);
    diagnostic.helps.push_back("split it: any number of files can share a module");
    diagnostics.add(std::move(diagnostic));
    return file;
  }
  if (!base::is_valid_utf8(text)) {
    diagnostic.code = base::ErrorCode::E0011;
    diagnostic.span.file = UINT32_MAX;  // no excerpt of bytes that are no text
    diagnostic.message = sources.file(source).name + " is not UTF-8";
    diagnostic.helps.push_back("save the file with the encoding UTF-8");
    diagnostics.add(std::move(diagnostic));
    return file;
  }
  const std::size_t first = diagnostics.list().size();
  file = detail::Parser(source, text, diagnostics).parse_file();
  diagnostics.sort_from(first);  // the lexer's come before the parser's
  return file;
}

}  // namespace kiln::mappings
