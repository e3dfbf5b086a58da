#include "fhir/model/tree.h"

#include <algorithm>

namespace kiln::fhir {
namespace {

std::string_view name_in(const detail::TreeData& tree, NameId id) {
  if (id < kLocalNames) return name_text(id);
  const auto& name = tree.names[id - kLocalNames];
  return std::string_view(tree.text).substr(name.begin, name.size);
}

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

namespace detail {

std::string_view shown_name(const TreeData& tree, NameId id) {
  const std::string_view name = name_in(tree, id);
  const bool plain =
      name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
      });
  return plain ? name : "?";
}

}  // namespace detail

std::string_view Node::name() const {
  return tree_ ? name_in(*tree_, row().name) : std::string_view();
}

std::string_view Node::json_name() const {
  const ElementDef* definition = element();
  if (definition == nullptr || !definition->is_choice()) return name();
  const TypeDef* content = type();
  for (const ElementType& candidate : definition->types())
    if (&candidate.type() == content) return definition->json_name(candidate);
  return name();
}

std::size_t Node::list_index() const {
  if (!tree_ || id_ == 0) return 0;
  std::size_t index = 0;
  for (std::uint32_t at = tree_->nodes[row().parent].first_child; at != id_ && at != 0;
       at = tree_->nodes[at].next_sibling)
    if (tree_->nodes[at].name == row().name) ++index;
  return index;
}

Node Node::resource() const {
  for (Node at = *this; at; at = at.parent())
    if (at.is_resource()) return at;
  return {};
}

Node Node::child(NameId name) const {
  if (!tree_) return {};
  for (std::uint32_t at = row().first_child; at != 0; at = tree_->nodes[at].next_sibling)
    if (tree_->nodes[at].name == name) return Node(tree_, at);
  return {};
}

Node Node::operator[](std::string_view name) const {
  if (const NameId id = find_name(name); id != kNoName) return child(id);
  for (const Node at : *this)
    if (at.row().name >= kLocalNames && name_in(*tree_, at.row().name) == name) return at;
  return {};
}

std::size_t Node::count(std::string_view name) const {
  std::size_t found = 0;
  const Node first = (*this)[name];
  for (Node at = first; at; at = at.next_sibling())
    if (at.name_id() == first.name_id()) ++found;
  return found;
}

Node Node::at(std::size_t index) const {
  Node at = *this;
  while (index != 0 && at) {
    at = at.next_sibling();
    if (at && at.name_id() == name_id()) --index;
  }
  return at;
}

std::string Node::path() const {
  if (!tree_) return {};
  std::vector<Node> spine;
  for (Node at = *this; at; at = at.parent()) spine.push_back(at);
  std::reverse(spine.begin(), spine.end());
  std::string text;
  for (const Node& at : spine) {
    if (at.id_ == 0) {
      if (const TypeDef* root_type = at.type()) text += root_type->name();
      continue;
    }
    if (!text.empty() && !at.name().empty()) text += '.';
    text += detail::shown_name(*tree_, at.row().name);
    if (at.is_list_item()) text += '[' + std::to_string(at.list_index()) + ']';
  }
  return text;
}

std::string TextPlace::print() const {
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

TextPlace place_in(std::string_view source, std::size_t offset) {
  std::string_view before = source.substr(0, std::min(offset, source.size()));
  if (before.starts_with(kByteOrderMark)) before.remove_prefix(kByteOrderMark.size());
  const auto last = before.rfind('\n');
  return {static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1,
          before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1};
}

}  // namespace kiln::fhir
