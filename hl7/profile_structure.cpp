// The notation of the standard for message structures (std 2.12): [ ] optional, { } repeating, < | > a
// choice, NAME: a group around what its brackets hold; ( ) around a group that stands exactly once.

#include <utility>

#include "engine/base/limits.h"
#include "hl7/profile.h"
#include "hl7/segment_id.h"

namespace kiln::hl7 {

namespace {

bool is_name_char(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '_';
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  base::Result<std::vector<ProfileNode>> read() {
    std::vector<ProfileNode> nodes;
    TRY_VOID(list(nodes, '\0', 0));
    return nodes;
  }

 private:
  tl::unexpected<base::Error> bad(std::string why) const {
    return base::fail(base::ErrorCode::bad_profile, std::move(why), "column " + std::to_string(at_ + 1));
  }
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  base::Status list(std::vector<ProfileNode>& out, char end, std::size_t depth) {
    if (depth > base::limits::kProfileDepthMax) return bad("nested too deeply");
    while (peek() != end || end == '\0') {
      if (peek() == '\0') return end == '\0' ? base::Status() : bad(std::string("`") + end + "` is missing");
      TRY_VOID(item(out, depth));
    }
    ++at_;
    return {};
  }

  base::Status item(std::vector<ProfileNode>& out, std::size_t depth) {
    const char c = peek();
    if (c == '[') return bracket(out, ']', depth);
    if (c == '{') return bracket(out, '}', depth);
    if (c == '(') return bracket(out, ')', depth);
    if (c == '<') return choice(out, depth);
    if (!is_name_char(c)) return bad("a segment, a group or a bracket is expected");
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    if (peek() == ':') {
      at_ = begin;
      return bad("a group stands first in its brackets: { ORDER: ORC OBR }");
    }
    if (segment_id(name) == 0) {
      at_ = begin;
      return bad("`" + name + "` is not the name of a segment");
    }
    out.push_back({ProfileNode::Kind::segment, name, true, false, {}});
    return {};
  }

  /// What stands in brackets: one item becomes optional or repeating, several need a group name.
  base::Status bracket(std::vector<ProfileNode>& out, char end, std::size_t depth) {
    ++at_;
    const std::string name = group_name();
    std::vector<ProfileNode> inner;
    TRY_VOID(list(inner, end, depth + 1));
    if (inner.empty()) return bad("empty brackets");
    ProfileNode node;
    if (!name.empty()) {
      node = {ProfileNode::Kind::group, name, true, false, std::move(inner)};
    } else if (inner.size() == 1) {
      node = std::move(inner.front());
    } else {
      return bad("several segments in brackets need a group name: { ORDER: ORC OBR }");
    }
    if (end == ']') node.required = false;
    if (end == '}') node.repeats = true;
    out.push_back(std::move(node));
    return {};
  }

  std::string group_name() {
    peek();
    std::size_t end = at_;
    while (end < text_.size() && is_name_char(text_[end])) ++end;
    const std::string name(text_.substr(at_, end - at_));
    while (end < text_.size() && text_[end] == ' ') ++end;
    if (name.empty() || end == text_.size() || text_[end] != ':') return {};
    at_ = end + 1;
    return name;
  }

  base::Status choice(std::vector<ProfileNode>& out, std::size_t depth) {
    ++at_;
    if (depth > base::limits::kProfileDepthMax) return bad("nested too deeply");
    ProfileNode node{ProfileNode::Kind::choice, {}, true, false, {}};
    while (true) {
      const std::size_t before = node.children.size();
      TRY_VOID(item(node.children, depth + 1));
      if (node.children.size() != before + 1) return bad("a choice has one segment or group per member");
      const char c = peek();
      ++at_;
      if (c == '>') break;
      if (c != '|') {
        --at_;
        return bad("`|` or `>` is missing");
      }
    }
    out.push_back(std::move(node));
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void print(const std::vector<ProfileNode>& nodes, std::string_view separator, std::string& out) {
  bool first = true;
  for (const ProfileNode& node : nodes) {
    if (!std::exchange(first, false)) out += separator;
    if (!node.required) out += '[';
    if (node.repeats) out += '{';
    const bool plain_group = node.kind == ProfileNode::Kind::group && node.required && !node.repeats;
    switch (node.kind) {
      case ProfileNode::Kind::segment:
        out += node.name;
        break;
      case ProfileNode::Kind::group:
        if (plain_group) out += '(';
        out.append(node.name).append(": ");
        print(node.children, " ", out);
        if (plain_group) out += ')';
        break;
      case ProfileNode::Kind::choice:
        out += '<';
        print(node.children, "|", out);
        out += '>';
        break;
    }
    if (node.repeats) out += '}';
    if (!node.required) out += ']';
  }
}

}  // namespace

base::Result<std::vector<ProfileNode>> parse_structure(std::string_view text) {
  return Reader(text).read();
}

std::string print_structure(const std::vector<ProfileNode>& nodes) {
  std::string out;
  print(nodes, " ", out);
  return out;
}

}  // namespace kiln::hl7
