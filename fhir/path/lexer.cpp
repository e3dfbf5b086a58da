#include "fhir/path/detail/lexer.h"

#include "engine/base/text.h"
#include "fhir/model/tree.h"

namespace kiln::fhir::detail {

using base::ErrorCode;

base::Error path_error(ErrorCode code, std::string what, std::string_view text, std::size_t offset) {
  return base::Error{code, std::move(what), place_in(text, offset).print(), {}};
}

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  base::Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    while (true) {
      if (!skip_blanks()) return bad("the comment does not end", start_);
      start_ = at_;
      Token token;
      token.offset = static_cast<std::uint32_t>(at_);
      if (at_ == text_.size()) {
        tokens.push_back(std::move(token));
        return tokens;
      }
      if (!next(token)) return base::fail(std::move(error_));
      tokens.push_back(std::move(token));
    }
  }

 private:
  tl::unexpected<base::Error> bad(std::string what, std::size_t offset) {
    return base::fail(path_error(ErrorCode::fhirpath_syntax, std::move(what), text_, offset));
  }
  bool stop(std::string what) {
    error_ = path_error(ErrorCode::fhirpath_syntax, std::move(what), text_, at_);
    return false;
  }
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  bool skip_blanks() {
    while (at_ < text_.size()) {
      if (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r') {
        ++at_;
      } else if (peek() == '/' && peek(1) == '/') {
        while (at_ < text_.size() && peek() != '\n') ++at_;
      } else if (peek() == '/' && peek(1) == '*') {
        start_ = at_;
        const std::size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return false;
        at_ = end + 2;
      } else {
        return true;
      }
    }
    return true;
  }

  bool next(Token& token) {
    const char c = peek();
    if (is_letter(c)) {
      token.kind = TokenKind::name;
      token.text = name();
      return true;
    }
    if (is_digit(c)) return number(token);
    if (c == '\'') return quoted('\'', TokenKind::string, token);
    if (c == '`') return quoted('`', TokenKind::quoted_name, token);
    if (c == '@') return date(token);
    if (c == '%') return variable(token);
    if (c == '$') {
      ++at_;
      token.kind = TokenKind::symbol;
      token.text = "$" + name();
      if (token.text == "$this" || token.text == "$index" || token.text == "$total") return true;
      return stop("only $this, $index and $total exist");
    }
    token.kind = TokenKind::symbol;
    for (const char* two : {"<=", ">=", "!=", "!~"}) {
      if (text_.substr(at_, 2) == two) {
        token.text = two;
        at_ += 2;
        return true;
      }
    }
    if (std::string_view(".,()[]{}+-*/&|=~<>").find(c) == std::string_view::npos || c == '\0')
      return stop("a character that FHIRPath does not use here");
    token.text = c;
    ++at_;
    return true;
  }

  std::string name() {
    const std::size_t begin = at_;
    while (is_letter(peek()) || is_digit(peek())) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  bool number(Token& token) {
    token.kind = TokenKind::number;
    const std::size_t begin = at_;
    while (is_digit(peek())) ++at_;
    if (peek() == '.' && is_digit(peek(1))) {
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    token.text = std::string(text_.substr(begin, at_ - begin));
    return true;
  }

  /// @2014-01-25T14:30:14.559+10:00, @T14:30; the form is checked by the parser.
  bool date(Token& token) {
    token.kind = TokenKind::date;
    const std::size_t begin = at_++;
    const auto digits = [this] {
      while (is_digit(peek())) ++at_;
    };
    if (peek() != 'T') {
      digits();
      for (int i = 0; i < 2 && peek() == '-' && is_digit(peek(1)); ++i) {
        ++at_;
        digits();
      }
    }
    if (peek() == 'T') {
      ++at_;
      digits();
      for (int i = 0; i < 2 && peek() == ':' && is_digit(peek(1)); ++i) {
        ++at_;
        digits();
      }
      if (peek() == '.' && is_digit(peek(1))) {
        ++at_;
        digits();
      }
      if (peek() == 'Z') {
        ++at_;
      } else if ((peek() == '+' || peek() == '-') && is_digit(peek(1)) && is_digit(peek(2)) &&
                 peek(3) == ':') {
        at_ += 4;
        digits();
      }
    }
    token.text = std::string(text_.substr(begin + 1, at_ - begin - 1));
    return true;
  }

  bool variable(Token& token) {
    ++at_;
    token.kind = TokenKind::variable;
    if (peek() == '`' || peek() == '\'' || peek() == '"') return quoted(peek(), TokenKind::variable, token);
    // The names of FHIR's own variables hold "-": %vs-…, %ext-….
    if (text_.substr(at_, 3) == "vs-" || text_.substr(at_, 4) == "ext-" || text_.substr(at_, 6) == "us-zip") {
      const std::size_t begin = at_;
      while (is_letter(peek()) || is_digit(peek()) || peek() == '-') ++at_;
      token.text = std::string(text_.substr(begin, at_ - begin));
      return true;
    }
    token.text = name();
    return !token.text.empty() || stop("% needs a name");
  }

  bool quoted(char quote, TokenKind kind, Token& token) {
    token.kind = kind;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == quote) {
        ++at_;
        return true;
      }
      if (c != '\\') {
        token.text += c;
        continue;
      }
      ++at_;
      if (!escape(token.text)) return false;
    }
    at_ = start_;
    return stop("the string does not end");
  }

  bool escape(std::string& out) {
    switch (peek()) {
      case 'n':
        out += '\n';
        return true;
      case 'r':
        out += '\r';
        return true;
      case 't':
        out += '\t';
        return true;
      case 'f':
        out += '\f';
        return true;
      case '\\':
      case '/':
      case '\'':
      case '"':
      case '`':
        out += peek();
        return true;
      case 'u':
        return unicode(out);
      default:
        return stop("an unknown escape");
    }
  }

  bool hex(std::uint32_t& code) {
    code = 0;
    for (std::size_t i = 1; i <= 4; ++i) {
      const char c = peek(i);
      const int digit = is_digit(c)            ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return stop("\\u needs four hexadecimal digits");
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    at_ += 4;
    return true;
  }

  /// At "u"; leaves at the last digit.
  bool unicode(std::string& out) {
    std::uint32_t code = 0;
    if (!hex(code)) return false;
    if (code >= 0xD800 && code < 0xDC00 && peek(1) == '\\' && peek(2) == 'u') {
      at_ += 2;
      std::uint32_t low = 0;
      if (!hex(low)) return false;
      if (low < 0xDC00 || low > 0xDFFF) return stop("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xD800 && code <= 0xDFFF) {
      return stop("half of a surrogate pair");
    }
    if (code == 0) return stop("a NUL character");
    base::append_utf8(out, code);
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0, start_ = 0;
  base::Error error_;
};

}  // namespace

base::Result<std::vector<Token>> path_tokens(std::string_view text) {
  if (!base::is_valid_utf8(text))
    return base::fail(ErrorCode::fhirpath_syntax, "the expression is not UTF-8");
  return Lexer(text).run();
}

std::string plain_number(std::string_view text) {
  const bool minus = text.starts_with('-');
  if (minus || text.starts_with('+')) text.remove_prefix(1);
  while (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9') text.remove_prefix(1);
  return (minus ? "-" : "") + std::string(text);
}

}  // namespace kiln::fhir::detail
