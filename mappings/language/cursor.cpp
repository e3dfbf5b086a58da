#include "mappings/language/cursor.h"

#include <algorithm>
#include <charconv>

namespace kiln::mappings {

using detail::TokenKind;
using Kind = Frame::Kind;

namespace {

bool opens(TokenKind kind) {
  return kind == TokenKind::left_brace || kind == TokenKind::left_paren || kind == TokenKind::left_bracket;
}
bool closes(TokenKind kind) {
  return kind == TokenKind::right_brace || kind == TokenKind::right_paren || kind == TokenKind::right_bracket;
}
bool assigns(TokenKind kind) {
  return kind == TokenKind::assign || kind == TokenKind::append || kind == TokenKind::set_if_unset;
}

constexpr std::string_view kDeclarations[] = {
    "module", "use",      "const",    "extension", "table",  "lookup", "row",     "csv",   "segment",
    "fn",     "datatype", "fragment", "map",       "extend", "test",   "channel", "server"};
/// Words that go on with a statement on a line of their own.
constexpr std::string_view kContinue[] = {"else", "then", "identity", "request", "and",
                                          "or",   "key",  "reload",   "cache"};

template <class List>
bool holds(const List& list, std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

bool is_path_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Begin of the word that ends at `offset`; "PID-5." counts as one word.
std::size_t word_begin(std::string_view text, std::size_t offset) {
  std::size_t at = offset;
  while (at > 0 && (is_digit(text[at - 1]) || text[at - 1] == '.')) --at;
  const bool path = at > 3 && text[at - 1] == '-' && is_path_char(text[at - 2]) &&
                    is_path_char(text[at - 3]) && text[at - 4] >= 'A' && text[at - 4] <= 'Z' &&
                    (at == 4 || !is_path_char(text[at - 5]));
  if (path) return at - 4;
  at = offset;
  while (at > 0 && is_path_char(text[at - 1])) --at;
  return at;
}

}  // namespace

Cursor::Cursor(std::string_view text, std::size_t offset, const Library* library, const LibraryFile* file)
    : text_(text), offset_(std::min(offset, text.size())), library_(library), file_(file) {
  base::Diagnostics ignored;
  lexed_ = detail::lex(0, text_, 0, static_cast<std::uint32_t>(text_.size()), ignored);
  prefix_ = word_begin(text_, offset_);
  const auto& all = lexed_.tokens;
  before_ = static_cast<std::size_t>(
      std::find_if(all.begin(), all.end(), [&](const Token& t) { return t.begin >= prefix_; }) - all.begin());
  scan();
}

bool Cursor::is(std::size_t token, TokenKind kind) const {
  return token < lexed_.tokens.size() && lexed_.tokens[token].kind == kind;
}

std::string_view Cursor::word(std::size_t token) const {
  if (token >= lexed_.tokens.size()) return {};
  const Token& t = lexed_.tokens[token];
  return text_.substr(t.begin, t.end - t.begin);
}

std::optional<std::size_t> Cursor::token() const {
  std::optional<std::size_t> touching;
  for (std::size_t i = 0; i < lexed_.tokens.size(); ++i) {
    const Token& t = lexed_.tokens[i];
    if (t.begin > offset_) break;
    if (t.kind == TokenKind::end) continue;
    if (offset_ < t.end) return i;
    if (offset_ == t.end) touching = i;
  }
  return touching;
}

bool Cursor::in_comment() const {
  return std::any_of(lexed_.comments.begin(), lexed_.comments.end(),
                     [&](const base::Span& span) { return span.begin < offset_ && offset_ <= span.end; });
}

bool Cursor::in_string() const {
  for (const Token& t : lexed_.tokens) {
    const bool text = t.kind == TokenKind::string || t.kind == TokenKind::text || t.kind == TokenKind::regex;
    if (text && t.begin < offset_ && (offset_ < t.end || (offset_ == t.end && t.malformed))) return true;
  }
  return false;
}

const Frame* Cursor::block() const {
  for (std::size_t i = frames_.size(); i-- > 0;)
    if (frames_[i].kind != Kind::list && frames_[i].kind != Kind::paren) return &frames_[i];
  return nullptr;
}

std::size_t Cursor::statement() const {
  const Frame* inner = block();
  return inner ? inner->statement : statement_;
}

PlaceType Cursor::target() const {
  const Frame* inner = block();
  return inner ? inner->target : PlaceType();
}

std::optional<std::size_t> Cursor::assignment() const {
  std::size_t depth = 0;
  std::optional<std::size_t> found;
  for (std::size_t i = statement(); i < before_; ++i) {
    const TokenKind kind = lexed_.tokens[i].kind;
    if (opens(kind)) ++depth;
    if (closes(kind) && depth > 0) --depth;
    if (depth == 0 && assigns(kind)) found = i;
  }
  return found;
}

// ---- frames ----

bool Cursor::starts_statement(std::size_t i) const {
  const Token& here = lexed_.tokens[i];
  const Frame* inner = block();
  if (i == 0 || (inner && i == inner->open + 1)) return true;
  const TokenKind before = lexed_.tokens[i - 1].kind;
  if (before == TokenKind::semicolon) return true;
  if (inner && inner->kind == Kind::arms) return false;  // arms are found by `=>`
  const bool word =
      here.kind == TokenKind::ident || here.kind == TokenKind::v2ref || here.kind == TokenKind::dot;
  if (!word || holds(kContinue, this->word(i))) return false;
  const bool bracket =
      !frames_.empty() && (frames_.back().kind == Kind::list || frames_.back().kind == Kind::paren);
  if (bracket) return false;
  if (closed_by_ == i - 1 && frames_.empty()) return true;
  if (!here.newline_before) return closed_by_ == i - 1 && here.kind != TokenKind::dot;
  const bool continues = before == TokenKind::comma || before == TokenKind::arrow ||
                         before == TokenKind::colon || before == TokenKind::plus ||
                         before == TokenKind::coalesce || assigns(before) || before == TokenKind::fat_arrow ||
                         before == TokenKind::dot;
  const bool create_if = inner && this->word(i) == "if" && this->word(inner->statement) == "create";
  return !continues && !create_if;
}

/// The first token of the left side that ends before the operator.
std::size_t Cursor::target_begin(std::size_t operation) const {
  const std::size_t floor = statement();
  std::size_t at = operation;
  while (at > floor) {
    std::size_t step = at - 1;
    for (std::size_t depth = 0; step > floor; --step) {
      if (closes(lexed_.tokens[step].kind)) ++depth;
      if (opens(lexed_.tokens[step].kind) && --depth == 0) break;
      if (depth == 0) break;
    }
    at = step;
    if (lexed_.tokens[at].space_before || at == floor) break;
  }
  return at;
}

void Cursor::scan() {
  const auto& all = lexed_.tokens;
  for (std::size_t i = 0; i < before_ && i < all.size(); ++i) {
    const bool outside = frames_.empty();
    if (outside && all[i].kind == TokenKind::ident && holds(kDeclarations, word(i)) &&
        (i == 0 || all[i].newline_before || closed_by_ == i - 1))
      enter_declaration(i);
    if (starts_statement(i)) set_statement(i);
    if (assigns(all[i].kind) && !outside && block() == &frames_.back() && block()->kind != Kind::options)
      set_statement(target_begin(i));
    if (opens(all[i].kind)) {
      open_frame(i);
    } else if (closes(all[i].kind) && !frames_.empty()) {
      close_frame();
      closed_by_ = i;
    }
  }
  // The statement that the unfinished word begins.
  if (before_ < all.size() && all[before_].kind != TokenKind::end && starts_statement(before_))
    set_statement(before_);
}

void Cursor::set_statement(std::size_t token) {
  for (std::size_t i = frames_.size(); i-- > 0;) {
    if (frames_[i].kind == Kind::list || frames_[i].kind == Kind::paren) continue;
    frames_[i].statement = token;
    return;
  }
  statement_ = token;
}

void Cursor::open_frame(std::size_t i) {
  if (is(i, TokenKind::left_brace)) {
    Frame frame = classify(i);
    frame.open = i;
    frame.statement = i + 1;
    frames_.push_back(frame);
    return;
  }
  Frame frame;
  frame.kind = is(i, TokenKind::left_bracket) ? Kind::list : Kind::paren;
  frame.open = i;
  frame.head = statement();
  frame.target = target();
  frames_.push_back(frame);
}

void Cursor::close_frame() {
  const bool block = frames_.back().kind != Kind::list && frames_.back().kind != Kind::paren;
  frames_.pop_back();
  if (block && frames_.empty()) enclosing_ = {};
}

void Cursor::enter_declaration(std::size_t first) {
  statement_ = first;
  enclosing_ = {};
  enclosing_.first = first;
  enclosing_.keyword = word(first);
  enclosing_.name = enclosing_.keyword == "extend" ? word(first + 2) : word(first + 1);
  const auto& all = lexed_.tokens;
  std::size_t depth = 0, at = first + 1;
  for (; at < all.size() && all[at].kind != TokenKind::end; ++at) {
    if (opens(all[at].kind)) ++depth;
    if (closes(all[at].kind) && depth > 0 && --depth == 0 && all[at].kind == TokenKind::right_brace) break;
    if (depth == 0 && all[at].newline_before && holds(kDeclarations, word(at))) break;
  }
  enclosing_.last = std::min(at, all.size() - 1);
  read_header(first);
}

/// `hl7 ADT_A01 2.5.1`, `Patient`, `csv Row`: the token behind it.
std::size_t Cursor::read_type(std::size_t at, WrittenType& out) const {
  const std::string_view model = word(at);
  if ((model == "hl7" || model == "fhir" || model == "csv") && is(at + 1, TokenKind::ident)) {
    out.model = model;
    ++at;
  }
  if (!is(at, TokenKind::ident)) return at;
  out.name = word(at++);
  if (is(at, TokenKind::number)) out.version = word(at++);
  return at;
}

void Cursor::read_header(std::size_t first) {
  Enclosing& e = enclosing_;
  std::size_t at = first;
  while (at < e.last && !is(at, TokenKind::left_paren) && !is(at, TokenKind::left_brace) &&
         !is(at, TokenKind::arrow))
    ++at;
  if (e.keyword == "datatype") {
    WrittenType source{"datatype", word(first + 1), {}};
    e.parameters.emplace_back(".", source);
  }
  if (is(at, TokenKind::left_paren)) {
    for (++at; at < e.last && !is(at, TokenKind::right_paren);) {
      WrittenType type;
      const std::string_view name = word(at);
      std::size_t next = is(at + 1, TokenKind::colon) ? read_type(at + 2, type) : at + 1;
      if (!type.name.empty()) e.parameters.emplace_back(name, type);
      at = std::max(next, at + 1);
    }
    ++at;
  }
  if (is(at, TokenKind::arrow)) read_type(at + 1, e.target);
  for (const auto& [name, type] : e.parameters) {
    if (const auto version = hl7::find_version(type.version)) {
      e.version = *version;
      e.any_version = false;
    }
    if (type.model == "hl7" && type.name.find('_') != std::string_view::npos) {
      e.structure = type.name;
      if (type.version.empty()) e.version = hl7::Version::v2_5_1, e.any_version = false;
    }
  }
}

Frame Cursor::classify(std::size_t open) const {
  Frame frame;
  frame.head = statement();
  const std::string_view first = word(frame.head);
  const bool element = frame.head + 1 < open &&
                       (assigns(lexed_.tokens[frame.head + 1].kind) || is(frame.head + 1, TokenKind::dot));
  if (frames_.empty()) {
    frame.kind = Kind::declaration;
    const bool options = first == "channel" || first == "server" || first == "csv";
    const bool rows = first == "table" || first == "row" || first == "segment" || first == "test";
    if (options) frame.kind = Kind::options;
    if (rows) frame.kind = Kind::rows;
    if (enclosing_.target.model == "hl7") frame.target.message = true;
    if (enclosing_.target.model == "csv") frame.target.csv = enclosing_.target.name;
    if (enclosing_.target.model.empty() || enclosing_.target.model == "fhir")
      frame.target = type_named(enclosing_.target.name);
    if (first == "fn") frame.kind = Kind::object;
    return frame;
  }
  const Frame& around = *block();
  if (around.kind == Kind::options || around.kind == Kind::rows) {
    frame.kind = around.kind;
    return frame;
  }
  frame.target = around.target;
  if (word(open - 1) == "identity") {
    frame.kind = Kind::object;
    frame.target = type_named("Identifier");
  } else if (!element && first == "create") {
    frame.kind = Kind::create;
    frame.target = type_named(word(frame.head + 3));
  } else if (!element && first == "emit") {
    frame.kind = Kind::emit;
  } else if (!element && first == "add" && !is(frame.head + 2, TokenKind::assign)) {
    frame.kind = Kind::add;
    frame.target = {};
    const std::string_view name = word(frame.head + 1);
    if (hl7::first_version_with_segment(name))
      frame.target.segment = name;
    else
      frame.target.message = true;
  } else if (!element && (first == "for" || first == "when" || first == "else")) {
    frame.kind = Kind::scope;
  } else if (!element && first == "in" && enclosing_.keyword == "extend") {
    frame.kind = Kind::scope;
    frame.target = {};
  } else {
    bool arms = false;
    frame.target = header_target(frame.head, open, arms);
    frame.kind = arms ? Kind::arms : Kind::object;
  }
  return frame;
}

PlaceType Cursor::header_target(std::size_t head, std::size_t open, bool& arms) const {
  const Frame& around = *block();
  for (std::size_t i = open; i-- > head;) {
    if (is(i, TokenKind::fat_arrow)) break;
    if (word(i) == "match") arms = true;
    if (assigns(lexed_.tokens[i].kind)) break;
  }
  if (around.kind == Kind::arms) return around.target;
  if (word(head) == "replace" || word(head) == "add") ++head;
  for (std::size_t i = head; i < open; ++i)
    if (assigns(lexed_.tokens[i].kind)) return target_type(head, i);
  return word(head) == "let" ? PlaceType() : around.target;
}

}  // namespace kiln::mappings
