#include "mappings/formatter.h"

#include <algorithm>

#include "mappings/detail/format_lines.h"
#include "mappings/detail/format_marks.h"
#include "mappings/detail/lexer.h"
#include "mappings/parser.h"

namespace kiln::mappings {

namespace detail {
namespace {

using Kind = TokenKind;

bool opens(Kind kind) {
  return kind == Kind::left_brace || kind == Kind::left_paren || kind == Kind::left_bracket;
}
bool closes(Kind kind) {
  return kind == Kind::right_brace || kind == Kind::right_paren || kind == Kind::right_bracket;
}

class Layout {
 public:
  Layout(std::string_view text, const Lexed& lexed, const Marks& marks)
      : text_(text), tokens_(lexed.tokens), comments_(lexed.comments), marks_(marks) {
    find_spans();
  }

  std::vector<Line> run() {
    for (std::size_t i = 0; i + 1 < tokens_.size(); ++i) {
      take_comments(i);
      place(i);
    }
    take_comments(tokens_.size() - 1);
    flush();
    return std::move(lines_);
  }

 private:
  struct Group {
    std::size_t indent = 0;  ///< of the line that opens it
    bool spans_lines = false;
    bool list = false;  ///< braces that are no list of names
    std::uint32_t id = 0;
  };

  std::string_view text_of(const Token& token) const {
    return text_.substr(token.begin, token.end - token.begin);
  }

  /// Which braces have a line break between their ends.
  void find_spans() {
    spans_lines_.assign(tokens_.size(), false);
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (opens(tokens_[i].kind)) open.push_back(i);
      if (!closes(tokens_[i].kind) || open.empty()) continue;
      const std::uint32_t begin = tokens_[open.back()].end;
      spans_lines_[open.back()] =
          text_.substr(begin, tokens_[i].begin - begin).find('\n') != std::string_view::npos;
      open.pop_back();
    }
  }

  std::size_t breaks_between(std::uint32_t begin, std::uint32_t end) const {
    const std::string_view gap = text_.substr(begin, end - begin);
    return static_cast<std::size_t>(std::count(gap.begin(), gap.end(), '\n'));
  }

  // ---- comments ----

  void take_comments(std::size_t next) {
    while (next_comment_ < comments_.size() && comments_[next_comment_].begin < tokens_[next].begin) {
      const base::Span span = comments_[next_comment_++];
      std::string comment(text_.substr(span.begin, span.end - span.begin));
      while (comment.ends_with(' ') || comment.ends_with('\t')) comment.pop_back();
      const std::size_t breaks = breaks_between(last_end_, span.begin);
      if (breaks == 0 && line_open_) {
        line_.comment = std::move(comment);
      } else {
        flush();
        Line own;
        own.comment = std::move(comment);
        own.indent = comment_indent(next);
        own.blank_before = breaks > 1 && !after_open_ && !lines_.empty();
        own.group = groups_.empty() ? 0 : groups_.back().id;
        lines_.push_back(std::move(own));
        after_open_ = false;
      }
      last_end_ = span.end;
      after_comment_ = true;
    }
  }

  std::size_t comment_indent(std::size_t next) const {
    const Token& token = tokens_[next];
    if (token.kind == Kind::end) return 0;
    if (closes(token.kind) && !groups_.empty()) return groups_.back().indent + 2;
    return indent_of(token);
  }

  // ---- lines ----

  /// Indentation of a line that starts with this token.
  std::size_t indent_of(const Token& token) const {
    const bool head = marks_.has(token, kMarkItem) || marks_.has(token, kMarkBody);
    if (groups_.empty()) return head || marks_.has(token, kMarkDeclaration) ? 0 : 2;
    const Group& group = groups_.back();
    const std::size_t inside = group.indent + 2;
    if (!group.list || head || after_open_) return inside;
    return inside + (text_of(token) == "else" && previous_ == Kind::right_brace ? 0 : 2);
  }

  bool starts_line(std::size_t index, std::size_t breaks) const {
    const Token& token = tokens_[index];
    if (index == 0 || after_comment_) return true;
    const Group* group = groups_.empty() ? nullptr : &groups_.back();
    const bool broken_list = group != nullptr && group->list && group->spans_lines;
    if (broken_list && (after_open_ || token.kind == Kind::right_brace)) return true;
    if (group != nullptr && group->list && !group->spans_lines) return false;
    if (marks_.has(token, kMarkDeclaration)) return true;
    if (broken_list && marks_.has(token, kMarkOwnLine) && previous_ != Kind::semicolon) return true;
    if (token.kind == Kind::semicolon) return false;
    if (closed_lines_ && text_of(token) == "else") return false;
    return breaks > 0;
  }

  void place(std::size_t index) {
    const Token& token = tokens_[index];
    const std::size_t breaks = breaks_between(last_end_, token.begin);
    const bool first_in_group = after_open_;
    if (starts_line(index, breaks)) {
      flush();
      start_line(token, breaks, first_in_group);
    } else {
      line_.text.append(blanks_before(index), ' ');
    }
    note_columns(token);
    line_.text += text_of(token);
    enter_or_leave(index);
    last_end_ = token.end;
    previous_ = token.kind;
    after_comment_ = false;
  }

  void start_line(const Token& token, std::size_t breaks, bool first_in_group) {
    line_open_ = true;
    line_.blank_before = breaks > 1 && !first_in_group && !closes(token.kind) && !lines_.empty();
    line_.starts_item = marks_.has(token, kMarkItem) || marks_.has(token, kMarkDeclaration);
    line_.group = groups_.empty() ? 0 : groups_.back().id;
    line_.indent = closes(token.kind) && !groups_.empty() ? groups_.back().indent : indent_of(token);
    items_ = 0;
    depth_ = groups_.size();
  }

  void flush() {
    if (!line_open_) return;
    if (items_ > 1) line_.columns.clear();
    while (line_.text.ends_with(' ')) line_.text.pop_back();
    lines_.push_back(std::move(line_));
    line_ = {};
    line_open_ = false;
  }

  /// Only items that start the line, and nothing inside their braces, take part in the alignment.
  void note_columns(const Token& token) {
    if (groups_.size() != depth_ || !line_.starts_item) return;
    if (marks_.has(token, kMarkItem)) ++items_;
    const auto stop = marks_.stops.find(token.begin);
    if (stop == marks_.stops.end()) return;
    if (stop->second == Stop::option && token.kind == Kind::left_brace && spans_lines_[index_of(token)])
      return;
    const bool ends = stop->second == Stop::assign;
    line_.columns.push_back({stop->second, line_.text.size(), ends ? token.end - token.begin : 0});
  }

  std::size_t index_of(const Token& token) const { return static_cast<std::size_t>(&token - tokens_.data()); }

  void enter_or_leave(std::size_t index) {
    const Token& token = tokens_[index];
    after_open_ = closed_lines_ = false;
    if (opens(token.kind)) {
      const bool list = token.kind == Kind::left_brace && !marks_.has(token, kMarkTight);
      groups_.push_back({line_.indent, spans_lines_[index], list, ++last_group_});
      after_open_ = true;
    } else if (closes(token.kind) && !groups_.empty()) {
      closed_lines_ = groups_.back().list && groups_.back().spans_lines;
      groups_.pop_back();
    }
  }

  // ---- blanks ----

  /// Blanks between the token and the one before it on the line.
  std::size_t blanks_before(std::size_t index) const {
    const Token& token = tokens_[index];
    const Token& before = tokens_[index - 1];
    if (marks_.has(token, kMarkInside)) return 0;
    if (marks_.has(token, kMarkItem) && before.kind != Kind::left_brace && before.kind != Kind::semicolon &&
        before.kind != Kind::comma && depth_inside_list())
      return 2;
    return is_joined(token, before, index) ? 0 : 1;
  }
  bool depth_inside_list() const { return !groups_.empty() && groups_.back().list; }

  bool is_joined(const Token& token, const Token& before, std::size_t index) const {
    if (joined_after(before, token, index - 1)) return true;
    switch (token.kind) {
      case Kind::comma:
      case Kind::semicolon:
      case Kind::question:
      case Kind::dot_dot:
      case Kind::right_paren:
      case Kind::right_bracket:
        return true;
      case Kind::right_brace:
        return marks_.has(token, kMarkTight) || before.kind == Kind::left_brace;
      case Kind::left_brace:
        return marks_.has(token, kMarkTight);
      case Kind::left_paren:
      case Kind::left_bracket:
        return !marks_.has(token, kMarkValue);
      case Kind::dot:
        return !marks_.has(token, kMarkValue) && !would_merge(before, index);
      case Kind::star:
        return marks_.has(token, kMarkTight);
      case Kind::colon:
        return !marks_.has(token, kMarkWide);
      case Kind::at:
        return !marks_.has(token, kMarkLabel);
      default:
        return false;
    }
  }

  bool joined_after(const Token& before, const Token& token, std::size_t index) const {
    switch (before.kind) {
      case Kind::left_paren:
      case Kind::left_bracket:
      case Kind::dot_dot:
      case Kind::at:
        return true;
      case Kind::left_brace:
        return marks_.has(before, kMarkTight);
      case Kind::colon:  // of a slice
        return marks_.has(before, kMarkTight);
      case Kind::dot:  // a lone `.` is a value of its own
        return !marks_.has(tokens_[index], kMarkValue) || !token.space_before;
      default:
        return false;
    }
  }

  /// `.5` behind `.4`: without the blank both would be one number.
  bool would_merge(const Token& before, std::size_t index) const {
    return (before.kind == Kind::number || before.kind == Kind::v2ref) &&
           tokens_[index + 1].kind == Kind::number && tokens_[index].space_before;
  }

  std::string_view text_;
  const std::vector<Token>& tokens_;
  const std::vector<base::Span>& comments_;
  const Marks& marks_;
  std::vector<bool> spans_lines_;  ///< by index of the opening token

  std::vector<Line> lines_;
  Line line_;
  bool line_open_ = false;
  std::size_t items_ = 0;  ///< of the list that the line starts in
  std::size_t depth_ = 0;  ///< groups open at the start of the line
  std::vector<Group> groups_;
  std::uint32_t last_group_ = 0;
  std::uint32_t last_end_ = 0;
  std::size_t next_comment_ = 0;
  Kind previous_ = Kind::end;
  bool after_open_ = false, after_comment_ = false;
  bool closed_lines_ = false;  ///< the token before closed braces that span lines
};

std::string print(const std::vector<Line>& lines) {
  std::string out;
  for (const Line& line : lines) {
    if (line.blank_before) out += '\n';
    out.append(line.indent, ' ').append(line.text);
    if (line.text.empty()) out += line.comment;
    out += '\n';
  }
  return out;
}

}  // namespace
}  // namespace detail

std::optional<std::string> format(const base::SourceMap& sources, std::uint32_t source,
                                  base::Diagnostics& diagnostics) {
  const std::size_t errors = diagnostics.errors();
  const ast::File file = parse(sources, source, diagnostics);
  if (diagnostics.errors() != errors) return std::nullopt;
  const std::string& text = sources.file(source).text;
  const std::uint32_t begin = text.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  base::Diagnostics none;
  const detail::Lexed lexed = detail::lex(source, text, begin, static_cast<std::uint32_t>(text.size()), none);
  const detail::Marks marks = detail::mark_tokens(file, lexed.tokens);
  std::vector<detail::Line> lines = detail::Layout(text, lexed, marks).run();
  detail::align(lines);
  return detail::print(lines);
}

}  // namespace kiln::mappings
