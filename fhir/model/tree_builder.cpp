#include "fhir/model/tree_builder.h"

#include <cassert>

#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

std::uint16_t position_of(const TypeDef* type) {
  return type ? static_cast<std::uint16_t>(type->index() + 1) : std::uint16_t{0};
}

NodeKind kind_of(const TypeDef& primitive) {
  switch (json_kind_of(primitive_of(primitive))) {
    case base::JsonKind::boolean:
      return NodeKind::boolean;
    case base::JsonKind::number:
      return NodeKind::number;
    default:
      return NodeKind::string;
  }
}

}  // namespace

TreeBuilder::TreeBuilder(std::size_t bytes_expected) : data_(std::make_shared<detail::TreeData>()) {
  data_->text.reserve(bytes_expected);
  data_->nodes.reserve(bytes_expected / 24 + 8);
}

detail::NodeRow& TreeBuilder::append(std::size_t offset) {
  const auto index = static_cast<std::uint32_t>(data_->nodes.size());
  auto& row = data_->nodes.emplace_back();
  row.offset = static_cast<std::uint32_t>(offset);
  if (index != 0) {
    assert(!open_.empty());
    Open& parent = open_.back();
    row.parent = parent.node;
    if (parent.last_child == 0)
      data_->nodes[parent.node].first_child = index;
    else
      data_->nodes[parent.last_child].next_sibling = index;
    parent.last_child = index;
  }
  open_.push_back({index, 0});
  return row;
}

NameId TreeBuilder::intern(std::string_view name) {
  if (const NameId known = find_name(name); known != kNoName) return known;
  const auto [found, fresh] =
      local_names_.try_emplace(std::string(name), static_cast<NameId>(kLocalNames + data_->names.size()));
  if (fresh) {
    data_->names.push_back(
        {static_cast<std::uint32_t>(data_->text.size()), static_cast<std::uint32_t>(name.size())});
    data_->text += name;
  }
  return found->second;
}

void TreeBuilder::open_root(const TypeDef* type, std::size_t offset) {
  assert(data_->nodes.empty());
  auto& row = append(offset);
  row.type = position_of(type);
  if (type && type->is_primitive()) row.kind = NodeKind::empty;
}

void TreeBuilder::open(const ElementDef& element, const TypeDef* type, std::size_t offset) {
  auto& row = append(offset);
  row.name = name_id(element);
  row.element = static_cast<std::uint16_t>(&element - all_elements().data() + 1);
  row.type = position_of(type);
  if (type && type->is_primitive()) row.kind = NodeKind::empty;
  if (element.is_list()) row.flags |= detail::kListItem;
}

void TreeBuilder::open_unknown(std::string_view name, bool list_item, std::size_t offset) {
  const NameId id = intern(name);
  auto& row = append(offset);
  row.name = id;
  if (list_item) row.flags |= detail::kListItem;
}

void TreeBuilder::value(NodeKind kind, std::string_view text) {
  assert(!open_.empty());
  auto& row = data_->nodes[open_.back().node];
  row.kind = kind;
  row.text_begin = static_cast<std::uint32_t>(data_->text.size());
  row.text_size = static_cast<std::uint32_t>(text.size());
  data_->text += text;
}

void TreeBuilder::value(std::string_view text) {
  const TypeDef* content = type();
  value(content && content->is_primitive() ? kind_of(*content) : NodeKind::string, text);
}

void TreeBuilder::close() {
  assert(!open_.empty());
  open_.pop_back();
}

void TreeBuilder::add(const ElementDef& element, std::string_view text) {
  open(element, element.only_type());
  value(text);
  close();
}

void TreeBuilder::open(std::string_view json_name) {
  const TypeDef* owner = type();
  const JsonMember member = owner ? owner->element_by_json_name(json_name) : JsonMember();
  assert(member);
  open(*member.element, member.content());
}

void TreeBuilder::add(std::string_view json_name, std::string_view text) {
  open(json_name);
  value(text);
  close();
}

void TreeBuilder::copy_content(Node from) {
  assert(!open_.empty());
  const std::size_t base = open_.size();
  // Walks the subtree without recursion; `at` is always the node whose content goes into the innermost open
  // one.
  Node at = from;
  for (;;) {
    if (at.kind() != NodeKind::object) value(at.kind(), at.text());
    Node next = at.first_child();
    if (!next) {
      while (open_.size() > base && !(next = at.next_sibling())) {
        close();
        at = at.parent();
      }
      if (open_.size() == base) return;
      close();
    }
    const NameId name = next.name_id() < kLocalNames ? next.name_id() : intern(next.name());
    auto& row = append(next.offset());
    const detail::NodeRow& source = next.row();
    row.name = name;
    row.element = source.element;
    row.type = source.type;
    row.kind = source.kind;
    row.flags = source.flags;
    at = next;
  }
}

void TreeBuilder::copy(Node from) {
  const NameId name = from.name_id() < kLocalNames ? from.name_id() : intern(from.name());
  auto& row = append(from.offset());
  row.name = name;
  row.element = from.row().element;
  row.type = from.row().type;
  row.kind = from.kind();
  row.flags = from.row().flags;
  copy_content(from);
  close();
}

const TypeDef* TreeBuilder::type() const {
  if (open_.empty()) return nullptr;
  const std::uint16_t position = data_->nodes[open_.back().node].type;
  return position ? &all_types()[position - 1u] : nullptr;
}

std::string TreeBuilder::path() const {
  return open_.empty() ? std::string() : Node(data_.get(), open_.back().node).path();
}

Tree TreeBuilder::finish() {
  assert(open_.empty());
  open_.clear();
  local_names_.clear();
  auto data = std::move(data_);
  data_ = std::make_shared<detail::TreeData>();
  return Tree(std::move(data));
}

}  // namespace kiln::fhir
