#include "mappings/detail/lexer.h"

#include <algorithm>
#include <string>

#include "engine/base/limits.h"

namespace kiln::mappings::detail {

namespace {

using base::ErrorCode;
using base::Span;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_word(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z') || c == '_' || is_digit(c);
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool skip_interpolation(std::string_view text, std::uint32_t& at, std::size_t depth);

/// Moves `at` from the opening quote to behind the closing one; false when the line ends before.
bool skip_string(std::string_view text, std::uint32_t& at, std::size_t depth) {
  ++at;
  while (at < text.size() && text[at] != '\n') {
    const char c = text[at];
    if (c == '"') {
      ++at;
      return true;
    }
    if (c == '\\' && at + 1 < text.size() && text[at + 1] != '\n') {
      at += 2;
    } else if (c == '$' && at + 1 < text.size() && text[at + 1] == '{') {
      at += 2;
      if (depth >= base::limits::kHmapInterpolationMax || !skip_interpolation(text, at, depth)) return false;
    } else {
      ++at;
    }
  }
  return false;
}

bool skip_interpolation(std::string_view text, std::uint32_t& at, std::size_t depth) {
  std::size_t braces = 1;
  while (at < text.size() && text[at] != '\n') {
    const char c = text[at];
    if (c == '"') {
      if (!skip_string(text, at, depth + 1)) return false;
      continue;
    }
    ++at;
    if (c == '{') ++braces;
    if (c == '}' && --braces == 0) return true;
  }
  return false;
}

class Lexer {
 public:
  Lexer(std::uint32_t file, std::string_view text, std::uint32_t begin, std::uint32_t end,
        base::Diagnostics& diagnostics)
      : file_(file), text_(text.substr(0, end)), at_(begin), diagnostics_(diagnostics) {}

  Lexed run() {
    out_.tokens.reserve((text_.size() - at_) / 5 + 2);
    for (;;) {
      skip_blanks();
      if (at_ >= text_.size()) break;
      next();
    }
    begin_ = at_;
    add(TokenKind::end, at_);
    return std::move(out_);
  }

 private:
  /// 0 beyond the end; a file may hold no NUL outside comments, so it never counts as a token.
  char peek(std::uint32_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  void skip_blanks() {
    for (;; ++at_) {
      const char c = peek();
      if (c == '\n') {
        newline_ = space_ = true;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        space_ = true;
      } else if (c == '/' && peek(1) == '/') {
        const std::uint32_t begin = at_;
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
        const std::uint32_t end = text_[at_ - 1] == '\r' ? at_ - 1 : at_;
        out_.comments.push_back({file_, begin, end});
        --at_;
        space_ = true;
      } else {
        return;
      }
    }
  }

  void add(TokenKind kind, std::uint32_t end) {
    out_.tokens.push_back({kind, newline_, space_, malformed_, begin_, end});
    at_ = end;
    newline_ = space_ = malformed_ = false;
  }

  void report(ErrorCode code, std::string message, std::uint32_t begin, std::uint32_t end, std::string help) {
    base::Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.message = std::move(message);
    diagnostic.span = {file_, begin, end};
    if (!help.empty()) diagnostic.helps.push_back(std::move(help));
    diagnostics_.add(std::move(diagnostic));
    malformed_ = true;
  }

  void next() {
    begin_ = at_;
    const char c = peek();
    if (c == '"') return string_or_text();
    if (is_digit(c)) return number();
    if (is_word(c)) return word();
    if (!punctuation()) invalid_characters();
  }

  void word() {
    if (is_v2ref()) return v2ref();
    if (peek() == 'r' && peek(1) == 'e' && peek(2) == '"') return regex();
    std::uint32_t end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    add(TokenKind::ident, end);
  }

  bool is_v2ref() const {
    const auto letter_or_digit = [](char c) { return is_upper(c) || is_digit(c); };
    return is_upper(peek()) && letter_or_digit(peek(1)) && letter_or_digit(peek(2)) && peek(3) == '-' &&
           is_digit(peek(4));
  }

  std::uint32_t dotted_digits(std::uint32_t from) const {
    std::uint32_t end = from;
    while (end < text_.size() && is_digit(text_[end])) ++end;
    while (end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
      ++end;
      while (end < text_.size() && is_digit(text_[end])) ++end;
    }
    return end;
  }

  void v2ref() {
    std::uint32_t end = dotted_digits(at_ + 4);
    if (end < text_.size() && is_word(text_[end])) {
      while (end < text_.size() && is_word(text_[end])) ++end;
      report(ErrorCode::E0010, "malformed path", begin_, end, "a path is written PID-5.1 or PID-5.1.2");
    }
    add(TokenKind::v2ref, end);
  }

  void number() {
    const std::uint32_t digits = dotted_digits(at_);
    std::uint32_t end = digits;
    while (end < text_.size() && is_word(text_[end])) ++end;
    const std::string_view unit = text_.substr(digits, end - digits);
    const std::string_view value = text_.substr(at_, digits - at_);
    const bool whole = value.find('.') == std::string_view::npos;
    if (unit.empty()) return address_or_number(value, digits);
    if (whole && (unit == "ms" || unit == "s" || unit == "m" || unit == "h" || unit == "d")) {
      return add(TokenKind::duration, end);
    }
    if (whole && (unit == "kB" || unit == "MB" || unit == "GB")) return add(TokenKind::size, end);
    report(ErrorCode::E0010, "malformed number", begin_, end,
           "durations are whole numbers of ms, s, m, h or d; sizes of kB, MB or GB");
    add(TokenKind::number, end);
  }

  void address_or_number(std::string_view value, std::uint32_t digits) {
    std::size_t dots = 0;
    for (const char c : value) dots += c == '.' ? 1 : 0;
    if (dots != 3 || digits + 1 >= text_.size() || text_[digits] != ':' || !is_digit(text_[digits + 1])) {
      return add(TokenKind::number, digits);
    }
    std::uint32_t end = digits + 1;
    while (end < text_.size() && is_digit(text_[end])) ++end;
    add(TokenKind::address, end);
  }

  void regex() {
    std::uint32_t end = at_ + 3;
    while (end < text_.size() && text_[end] != '"' && text_[end] != '\n') {
      end += text_[end] == '\\' && end + 1 < text_.size() && text_[end + 1] != '\n' ? 2 : 1;
    }
    if (end < text_.size() && text_[end] == '"') return add(TokenKind::regex, end + 1);
    report(ErrorCode::E0002, "this pattern is never closed", begin_, begin_ + 3,
           "end it with `\"` on the same line");
    add(TokenKind::regex, end);
  }

  void string_or_text() {
    if (text_.substr(at_).starts_with("\"\"\"")) return text_block();
    std::uint32_t end = at_;
    const bool closed = skip_string(text_, end, 0);
    if (!closed) {
      report(ErrorCode::E0002, "this string is never closed", begin_, begin_ + 1,
             "end it with `\"` on the same line, or use `\"\"\"` for text of several lines");
    }
    add(TokenKind::string, end);
  }

  void text_block() {
    const std::size_t close = text_.find("\"\"\"", at_ + 3);
    if (close != std::string_view::npos) return add(TokenKind::text, static_cast<std::uint32_t>(close) + 3);
    report(ErrorCode::E0003, "this text block is never closed", begin_, begin_ + 3, "end it with `\"\"\"`");
    add(TokenKind::text, static_cast<std::uint32_t>(text_.size()));
  }

  bool punctuation() {
    struct Symbol {
      std::string_view spelling;
      TokenKind kind;
    };
    static constexpr Symbol kSymbols[] = {
        {"..", TokenKind::dot_dot},       {"+=", TokenKind::append},     {"?=", TokenKind::set_if_unset},
        {"==", TokenKind::equal},         {"!=", TokenKind::not_equal},  {"<=", TokenKind::less_equal},
        {">=", TokenKind::greater_equal}, {"=>", TokenKind::fat_arrow},  {"->", TokenKind::arrow},
        {"??", TokenKind::coalesce},      {"{", TokenKind::left_brace},  {"}", TokenKind::right_brace},
        {"(", TokenKind::left_paren},     {")", TokenKind::right_paren}, {"[", TokenKind::left_bracket},
        {"]", TokenKind::right_bracket},  {",", TokenKind::comma},       {";", TokenKind::semicolon},
        {":", TokenKind::colon},          {".", TokenKind::dot},         {"@", TokenKind::at},
        {"=", TokenKind::assign},         {"<", TokenKind::less},        {">", TokenKind::greater},
        {"+", TokenKind::plus},           {"-", TokenKind::minus},       {"*", TokenKind::star},
        {"/", TokenKind::slash},          {"&", TokenKind::ampersand},   {"?", TokenKind::question}};
    const std::string_view rest = text_.substr(at_, 2);
    for (const Symbol& symbol : kSymbols) {
      if (!rest.starts_with(symbol.spelling)) continue;
      add(symbol.kind, at_ + static_cast<std::uint32_t>(symbol.spelling.size()));
      return true;
    }
    return false;
  }

  /// One report for a run of them; typical causes get a help.
  void invalid_characters() {
    std::uint32_t end = at_ + 1;
    while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
    const std::string_view found = text_.substr(at_, end - at_);
    std::string help;
    if (found == "\xE2\x80\x9C" || found == "\xE2\x80\x9D" || found == "'")
      help = "strings stand in straight quotes: \"…\"";
    if (found == "#") help = "comments start with `//`";
    if (found == "\xE2\x80\x93" || found == "\xE2\x80\x94") help = "use the plain hyphen `-`";
    if (found == "\xC2\xA0") help = "this is a no-break space; use a plain one";
    if (found == "!" || found == "|" || found == "^")
      help = "the words `not`, `or` and `and` are the logical operators";
    report(ErrorCode::E0004, "this character has no meaning here", at_, end, std::move(help));
    malformed_ = false;
    space_ = true;
    at_ = end;
    if (found == "#") at_ = static_cast<std::uint32_t>(std::min(text_.find('\n', at_), text_.size()));
  }

  std::uint32_t file_;
  std::string_view text_;
  std::uint32_t at_;
  std::uint32_t begin_ = 0;
  bool newline_ = true, space_ = true, malformed_ = false;
  base::Diagnostics& diagnostics_;
  Lexed out_;
};

}  // namespace

Lexed lex(std::uint32_t file, std::string_view text, std::uint32_t begin, std::uint32_t end,
          base::Diagnostics& diagnostics) {
  return Lexer(file, text, begin, end, diagnostics).run();
}

std::uint32_t interpolation_end(std::string_view text, std::uint32_t begin, std::uint32_t end) {
  std::uint32_t at = begin;
  return skip_interpolation(text.substr(0, end), at, 0) ? at : 0;
}

std::string_view describe(TokenKind kind) {
  static constexpr std::string_view kText[] = {"the end of the file",
                                               "a name",
                                               "a path such as PID-5.1",
                                               "a number",
                                               "a duration",
                                               "a size",
                                               "an address",
                                               "a string",
                                               "a text block",
                                               "a pattern",
                                               "`{`",
                                               "`}`",
                                               "`(`",
                                               "`)`",
                                               "`[`",
                                               "`]`",
                                               "`,`",
                                               "`;`",
                                               "`:`",
                                               "`.`",
                                               "`..`",
                                               "`@`",
                                               "`=`",
                                               "`+=`",
                                               "`?=`",
                                               "`==`",
                                               "`!=`",
                                               "`<`",
                                               "`<=`",
                                               "`>`",
                                               "`>=`",
                                               "`=>`",
                                               "`->`",
                                               "`+`",
                                               "`-`",
                                               "`*`",
                                               "`/`",
                                               "`&`",
                                               "`??`",
                                               "`?`"};
  static_assert(std::size(kText) == static_cast<std::size_t>(TokenKind::question) + 1);
  return kText[static_cast<std::size_t>(kind)];
}

std::uint32_t bracketed_address_end(std::string_view text, std::uint32_t begin) {
  std::uint32_t at = begin + 1;
  while (at < text.size() && (is_hex(text[at]) || text[at] == ':')) ++at;
  if (at + 2 >= text.size() || at == begin + 1 || text[at] != ']' || text[at + 1] != ':' ||
      !is_digit(text[at + 2])) {
    return 0;
  }
  at += 2;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

}  // namespace kiln::mappings::detail
