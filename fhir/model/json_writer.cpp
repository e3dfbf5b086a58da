#include "engine/base/json.h"
#include "fhir/model/json.h"

namespace kiln::fhir {
namespace {

class Writer {
 public:
  Writer(std::string& out, bool pretty) : out_(out), pretty_(pretty) {}

  /// A node without the member it belongs to. A primitive with extensions is written by members(), in two
  /// parts.
  void node(Node node, std::size_t indent) {
    switch (node.kind()) {
      case NodeKind::object:
        return object(node, true, indent);
      case NodeKind::string:
        return base::append_json_string(out_, node.text());
      case NodeKind::number:
      case NodeKind::boolean:
        out_ += node.text();
        return;
      case NodeKind::empty:
      case NodeKind::null_:
        out_ += "null";
        return;
      case NodeKind::array:
        return items(node, indent);
    }
  }

 private:
  /// The members of an object, or (`whole` false) those of the `_` twin of a primitive.
  void object(Node node, bool whole, std::size_t indent) {
    out_ += '{';
    bool first = true;
    if (whole && node.is_resource()) {
      key("resourceType", indent + 1, first);
      base::append_json_string(out_, node.type()->name());
    }
    for (Node at = node.first_child(); at;) at = member(at, indent + 1, first);
    if (!first) new_line(indent);
    out_ += '}';
  }

  void items(Node array, std::size_t indent) {
    out_ += '[';
    bool first = true;
    for (const Node item : array) {
      next_item(indent + 1, first);
      node(item, indent + 1);
    }
    if (!first) new_line(indent);
    out_ += ']';
  }

  static bool has_twin(Node node) {
    return node.kind() != NodeKind::object && node.kind() != NodeKind::array && node.first_child();
  }

  /// Writes the member that starts with this node; returns the node behind it.
  Node member(Node begin, std::size_t indent, bool& first) {
    Node end = begin.next_sibling();
    bool values = begin.kind() != NodeKind::empty, twins = has_twin(begin);
    if (begin.is_list_item()) {
      for (; end && end.name_id() == begin.name_id() && end.is_list_item(); end = end.next_sibling()) {
        values = values || end.kind() != NodeKind::empty;
        twins = twins || has_twin(end);
      }
    }
    const std::string_view name = begin.json_name();
    if (values || !twins) {
      key(name, indent, first);
      if (begin.is_list_item())
        list(begin, end, false, indent);
      else
        node(begin, indent);
    }
    if (twins) {
      twin_name_.assign(1, '_').append(name);
      key(twin_name_, indent, first);
      if (begin.is_list_item())
        list(begin, end, true, indent);
      else
        object(begin, false, indent);
    }
    return end;
  }

  void list(Node begin, Node end, bool twins, std::size_t indent) {
    out_ += '[';
    bool first = true;
    for (Node at = begin; !(at == end); at = at.next_sibling()) {
      next_item(indent + 1, first);
      if (!twins)
        node(at, indent + 1);
      else if (has_twin(at))
        object(at, false, indent + 1);
      else
        out_ += "null";
    }
    new_line(indent);
    out_ += ']';
  }

  void key(std::string_view name, std::size_t indent, bool& first) {
    next_item(indent, first);
    base::append_json_string(out_, name);
    out_ += pretty_ ? ": " : ":";
  }
  void next_item(std::size_t indent, bool& first) {
    if (!first) out_ += ',';
    first = false;
    new_line(indent);
  }
  void new_line(std::size_t indent) {
    if (pretty_) out_.append(1, '\n').append(indent * 2, ' ');
  }

  std::string& out_;
  bool pretty_;
  std::string twin_name_;
};

}  // namespace

void append_json(std::string& out, Node node, bool pretty) {
  if (!node) return;
  Writer(out, pretty).node(node, 0);
  if (pretty) out += '\n';
}

std::string write_json(Node node, bool pretty) {
  std::string out;
  append_json(out, node, pretty);
  return out;
}

}  // namespace kiln::fhir
