#include "hl7/path.h"

#include <algorithm>

namespace kiln::hl7 {

/// Reads the text of a path from left to right.
class PathReader {
 public:
  explicit PathReader(std::string_view text) : text_(text) {}

  base::Result<Path> run() {
    Path path;
    TRY_VOID(segment(path));
    if (at_ == text_.size()) return path;
    if (peek() == '.' && at_ + 1 < text_.size())
      return error("a group path is not possible here; start at the segment");
    if (!take('-')) return error("expected '-' and a field number");
    TRY(path.field_, number("a field number"));
    if (peek() == '[') TRY_VOID(repetition(path));
    if (take('.')) {
      TRY(path.component_, number("a component number"));
      if (take('.')) {
        TRY(path.subcomponent_, number("a subcomponent number"));
      }
    }
    if (at_ != text_.size()) return error("the path should end here");
    return path;
  }

 private:
  using Index = Path::Index;

  base::Status segment(Path& path) {
    path.segment_id_ = segment_id(text_.substr(0, 3));
    const bool upper =
        std::none_of(text_.begin(), text_.begin() + std::min<std::ptrdiff_t>(3, std::ssize(text_)),
                     [](char c) { return c >= 'a' && c <= 'z'; });
    if (path.segment_id_ == 0 || !upper)
      return error("expected a segment name of three capital letters or digits");
    at_ = 3;
    if (peek() != '[') return {};
    ++at_;
    TRY(path.occurrence_, index());
    return close();
  }

  base::Status repetition(Path& path) {
    ++at_;
    path.whole_field_ = false;
    if (text_.substr(at_).starts_with("where ")) {
      at_ += 6;
      path.repetition_.kind = Index::Kind::where;
      TRY_VOID(where(path.where_));
    } else {
      TRY(path.repetition_, index());
    }
    return close();
  }

  base::Status where(Path::Where& where) {
    spaces();
    if (!take('.')) return error("expected '.' and a component number");
    TRY(where.component, number("a component number"));
    if (take('.')) {
      TRY(where.subcomponent, number("a subcomponent number"));
    }
    spaces();
    const std::string_view comparison = text_.substr(at_, 2);
    if (comparison != "==" && comparison != "!=") return error("expected == or !=");
    where.equal = comparison == "==";
    at_ += 2;
    spaces();
    if (!take('"')) return error("expected a text in double quotes");
    while (peek() != '"') {
      if (peek() == '\\') ++at_;
      if (at_ >= text_.size()) return error("the text has no closing quote");
      where.text += text_[at_++];
    }
    ++at_;
    spaces();
    return {};
  }

  base::Result<Index> index() {
    if (take('*')) return Index{Index::Kind::all, 1};
    if (text_.substr(at_).starts_with("last")) {
      at_ += 4;
      return Index{Index::Kind::last, 1};
    }
    TRY(const std::uint32_t n, number("a number, 'last' or '*'"));
    return Index{Index::Kind::number, n};
  }

  base::Result<std::uint32_t> number(std::string_view what) {
    std::uint32_t n = 0;
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9' && at_ - begin < 7)
      n = n * 10 + static_cast<std::uint32_t>(text_[at_++] - '0');
    if (at_ == begin) return error("expected " + std::string(what));
    if (n == 0) {
      at_ = begin;
      return error("numbers start at 1");
    }
    return n;
  }

  base::Status close() {
    if (!take(']')) return error("expected ']'");
    return {};
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  void spaces() {
    while (peek() == ' ') ++at_;
  }
  tl::unexpected<base::Error> error(std::string text) const {
    return base::fail(base::ErrorCode::bad_path, std::move(text), "column " + std::to_string(at_ + 1),
                      "a path looks like PID-3[2].4.1");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

base::Result<Path> Path::compile(std::string_view text) {
  return PathReader(text).run();
}

Piece Path::deepen(const RepetitionView& repetition) const {
  if (component_ == 0) return repetition;
  const ComponentView component = repetition.component(component_);
  return subcomponent_ == 0 ? static_cast<Piece>(component) : component.sub(subcomponent_);
}

bool Path::matches(const RepetitionView& repetition) const {
  const ComponentView component = repetition.component(where_.component);
  const LeafView leaf = where_.subcomponent == 0 ? component.leaf() : component.sub(where_.subcomponent);
  std::string buffer;
  return (leaf.text(buffer) == where_.text) == where_.equal;
}

bool Path::visit_segment(const SegmentView& segment, const std::function<bool(const Piece&)>& visitor) const {
  const FieldView field = segment.field(field_);
  switch (repetition_.kind) {
    case Index::Kind::number: {
      const Piece piece = deepen(field.repetition(repetition_.number));
      return !piece.located() || visitor(piece);
    }
    case Index::Kind::last: {
      const Piece piece = deepen(field.repetition(std::max(1u, field.repetition_count())));
      return !piece.located() || visitor(piece);
    }
    case Index::Kind::all:
    case Index::Kind::where:
      break;
  }
  for (const RepetitionView repetition : field.repetitions()) {
    if (repetition_.kind == Index::Kind::where && !matches(repetition)) continue;
    const Piece piece = deepen(repetition);
    if (piece.located() && !visitor(piece)) return false;
  }
  return true;
}

void Path::visit(const Message& message, const std::function<bool(const Piece&)>& visitor) const {
  if (field_ == 0) return;
  if (occurrence_.kind != Index::Kind::all) {
    visit_segment(segment(message), visitor);
    return;
  }
  for (SegmentView at = message.find_from(0, segment_id_); at;
       at = message.find_from(at.index() + 1, segment_id_)) {
    if (!visit_segment(at, visitor)) return;
  }
}

Piece Path::get(const Message& message) const& {
  if (!many()) {
    const FieldView field = segment(message).field(field_);
    const std::uint32_t n =
        repetition_.kind == Index::Kind::last ? std::max(1u, field.repetition_count()) : repetition_.number;
    return deepen(field.repetition(n));
  }
  Piece found;
  visit(message, [&](const Piece& piece) {
    found = piece;
    return false;
  });
  return found;
}

SegmentView Path::segment(const Message& message) const {
  if (occurrence_.kind == Index::Kind::last) {
    for (std::uint32_t i = message.segment_count(); i > 0; --i) {
      if (message.segment(i - 1).id() == segment_id_) return message.segment(i - 1);
    }
    return {};
  }
  return message.find(segment_id_, occurrence_.number);
}

bool Path::many() const {
  return occurrence_.kind == Index::Kind::all || repetition_.kind == Index::Kind::all ||
         repetition_.kind == Index::Kind::where;
}

std::string Path::print() const {
  const auto bracket = [](const Index& index) -> std::string {
    switch (index.kind) {
      case Index::Kind::number:
        return index.number == 1 ? "" : "[" + std::to_string(index.number) + "]";
      case Index::Kind::last:
        return "[last]";
      case Index::Kind::all:
        return "[*]";
      case Index::Kind::where:
        break;
    }
    return {};
  };
  std::string text = segment_name(segment_id_) + bracket(occurrence_);
  if (field_ == 0) return text;
  text += "-" + std::to_string(field_) + bracket(repetition_);
  if (repetition_.kind == Index::Kind::where) {
    text += "[where ." + std::to_string(where_.component);
    if (where_.subcomponent != 0) text += "." + std::to_string(where_.subcomponent);
    text += where_.equal ? " == \"" : " != \"";
    for (const char c : where_.text) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += "\"]";
  }
  if (component_ != 0) text += "." + std::to_string(component_);
  if (subcomponent_ != 0) text += "." + std::to_string(subcomponent_);
  return text;
}

}  // namespace kiln::hl7
