#include "fhir/model/detail/json_handler.h"

#include <algorithm>

#include "fhir/model/detail/json_scan.h"
#include "fhir/primitives.h"

namespace kiln::fhir::detail {
namespace {

using base::ErrorCode;

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

std::string_view name_of(NodeKind kind) {
  return kind == NodeKind::boolean  ? "a boolean"
         : kind == NodeKind::number ? "a number"
         : kind == NodeKind::string ? "a string"
         : kind == NodeKind::object ? "an object"
                                    : "null";
}

constexpr std::uint64_t kResourceTypeKey = std::uint64_t{1} << 62, kNoElementKey = std::uint64_t{1} << 61;

/// Two keys of one choice in different types.
bool are_variants(std::uint64_t a, std::uint64_t b) {
  return a >> 32 == b >> 32 && (a ^ b) > 1 && a < kNoElementKey;
}

constexpr const char* kTwoTypes = "a choice element is given in two types";

/// What XML writes as an attribute, and a narrative, has neither id nor extensions.
bool may_have_twin(const ElementDef& element, const TypeDef* content) {
  return content && content->is_primitive() && !element.is_xml_attribute() &&
         primitive_of(*content) != Primitive::xhtml;
}

/// A member in Level's list of those seen: the plain one and its twin differ in the last bit.
std::uint64_t seen_key(const JsonPlace& place) {
  if (place.resource_type) return kResourceTypeKey;
  if (!place.element) return kNoElementKey | (std::uint64_t{place.name} << 1);
  const std::uint64_t variant = place.element->is_choice() && place.content ? place.content->index() + 1 : 0;
  return (std::uint64_t{place.element_position} << 32) | (variant << 1) | (place.twin ? 1 : 0);
}

}  // namespace

JsonHandler::JsonHandler(std::shared_ptr<TreeData> tree, const ReadOptions& options)
    : tree_(std::move(tree)), options_(options) {
  tree_->nodes.reserve(tree_->text.size() / 20 + 8);
  levels_.reserve(options.depth_max + 1);
}

bool JsonHandler::stop(ErrorCode code, std::string text, std::size_t offset) {
  failure_ = {code, std::move(text), path(), offset};
  return false;
}

bool JsonHandler::report(ErrorCode code, std::string text, std::size_t offset) {
  if (!options_.issues) return stop(code, std::move(text), offset);
  if (options_.issues->size() < base::limits::kValidationIssuesMax)
    options_.issues->push_back({code, std::move(text), path(), offset});
  return true;
}

std::string JsonHandler::path() const {
  if (levels_.empty()) return {};
  const Level& top = levels_.back();
  const Tree tree(tree_);
  std::string text = tree.node(top.node).path();
  if (top.place.resource_type || (top.place.name == kNoName && !top.array)) return text;
  if (top.place.name != kNoName) {
    if (!text.empty()) text += '.';
    text += shown_name(*tree_, top.place.name);
  }
  if (top.array) text += '[' + std::to_string(top.count) + ']';
  return text;
}

NameId JsonHandler::intern(std::string_view name) {
  if (const NameId known = find_name(name); known != kNoName) return known;
  const auto [found, fresh] =
      local_names_.try_emplace(name, static_cast<NameId>(kLocalNames + tree_->names.size()));
  if (fresh)
    tree_->names.push_back({static_cast<std::uint32_t>(name.data() - tree_->text.data()),
                            static_cast<std::uint32_t>(name.size())});
  return found->second;
}

JsonPlace JsonHandler::find(const Level& level, std::string_view name) {
  JsonPlace place;
  if (level.type) {
    place.twin = name.size() > 1 && name.front() == '_';
    const JsonMember member = level.type->element_by_json_name(place.twin ? name.substr(1) : name);
    const TypeDef* content = member ? member.content() : nullptr;
    if (member && (!place.twin || may_have_twin(*member.element, content))) {
      place.element = member.element;
      place.content = content;
      place.name = name_id(*member.element);
      place.element_position = static_cast<std::uint16_t>(member.element - all_elements().data() + 1);
      return place;
    }
    place.twin = false;
    if (name == "resourceType" && level.type->is_resource()) {
      place.resource_type = true;
      return place;
    }
  }
  place.name = intern(name);
  return place;
}

bool JsonHandler::key(std::size_t offset, std::string_view name) {
  Level& level = levels_.back();
  level.place = find(level, name);
  const JsonPlace& place = level.place;
  if (level.type && !place.element && !place.resource_type && options_.unknown == UnknownElements::refuse &&
      !report(ErrorCode::fhir_unknown_element, std::string(level.type->name()) + " has no such element",
              offset))
    return false;
  partner_ = 0;
  const std::uint64_t key = seen_key(place);
  if (seen_.size() - level.seen_begin < kWideObject) {
    for (std::size_t i = level.seen_begin; i < seen_.size(); ++i) {
      if ((seen_[i].key ^ key) > 1) {
        if (are_variants(seen_[i].key, key) && !report(ErrorCode::fhir_wrong_type, kTwoTypes, offset))
          return false;
        continue;
      }
      if (seen_[i].key == key) {
        if (!report(ErrorCode::json_duplicate_key, "a member name appears twice", offset)) return false;
      } else if (place.element) {
        partner_ = seen_[i].first_node;
      }
    }
  } else if (level.type) {
    for (std::size_t i = level.seen_begin; i < seen_.size(); ++i)
      if (seen_[i].key == (key ^ 1) && place.element) partner_ = seen_[i].first_node;
  }
  const auto& nodes = tree_->nodes;
  if (partner_ != 0 && (partner_ >= nodes.size() || nodes[partner_].name != place.name)) partner_ = 0;
  seen_.push_back({key, partner_ ? partner_ : static_cast<std::uint32_t>(nodes.size())});
  return true;
}

std::uint32_t JsonHandler::append(Level& parent, const JsonPlace& place, bool list_item, std::size_t offset) {
  const auto index = static_cast<std::uint32_t>(tree_->nodes.size());
  auto& row = tree_->nodes.emplace_back();
  row.parent = parent.node;
  row.offset = static_cast<std::uint32_t>(offset);
  row.name = place.name;
  row.element = place.element_position;
  row.type = place.content ? static_cast<std::uint16_t>(place.content->index() + 1) : std::uint16_t{0};
  if (list_item) row.flags = kListItem;
  if (parent.last_child == 0)
    tree_->nodes[parent.node].first_child = index;
  else
    tree_->nodes[parent.last_child].next_sibling = index;
  parent.last_child = index;
  return index;
}

std::uint32_t JsonHandler::append_root(std::size_t offset) {
  auto& row = tree_->nodes.emplace_back();
  row.offset = static_cast<std::uint32_t>(offset);
  const TypeDef* type = options_.typed ? options_.type : nullptr;
  row.type = type ? static_cast<std::uint16_t>(type->index() + 1) : std::uint16_t{0};
  return 0;
}

bool JsonHandler::next_node(std::size_t offset, bool list_item, std::uint32_t& node) {
  Level& level = levels_.back();
  if (!level.array) {
    node = partner_ ? partner_ : append(level, level.place, list_item, offset);
    return true;
  }
  if (level.paired && level.cursor == 0 &&
      !report(ErrorCode::fhir_wrong_type, "the arrays with and without _ have different lengths", offset))
    return false;
  if (level.cursor == 0) {
    node = append(level.plain ? level : object_level(), level.place, list_item, offset);
    return true;
  }
  node = level.cursor;
  const auto& row = tree_->nodes[node];
  const std::uint32_t next = row.next_sibling;
  level.cursor =
      next != 0 && tree_->nodes[next].name == row.name && tree_->nodes[next].type == row.type ? next : 0;
  return true;
}

void JsonHandler::set_value(std::uint32_t node, NodeKind kind, std::size_t offset, std::string_view text) {
  auto& row = tree_->nodes[node];
  row.kind = kind;
  row.text_begin = static_cast<std::uint32_t>(text.data() - tree_->text.data());
  row.text_size = static_cast<std::uint32_t>(text.size());
  row.offset = static_cast<std::uint32_t>(offset);
  row.flags &= static_cast<std::uint8_t>(~kNullItem);
}

/// A value stands where an array belongs, or the other way round.
bool JsonHandler::check_list(const Level& level, bool is_array, std::size_t offset) {
  if (!level.place.element || level.place.element->is_list() == is_array) return true;
  return report(ErrorCode::fhir_wrong_type,
                is_array ? "one value is needed, not an array" : "an array is needed", offset);
}

bool JsonHandler::scalar(NodeKind kind, std::size_t offset, std::string_view text) {
  if (kind == NodeKind::number && is_number_too_large(text) &&
      !report(ErrorCode::fhir_wrong_type, "a number with too large an exponent", offset))
    return false;
  if (levels_.empty()) {
    const std::uint32_t root = append_root(offset);
    const TypeDef* type = options_.type;
    if (options_.typed && !(type && type->is_primitive() && kind_of(*type) == kind))
      return stop(ErrorCode::fhir_wrong_type, "an object is needed", offset);
    set_value(root, kind, offset, text);
    return true;
  }
  Level& level = levels_.back();
  const JsonPlace& place = level.place;
  if (place.resource_type) {
    if (kind != NodeKind::string) return report(ErrorCode::fhir_wrong_type, "a string is needed", offset);
    return true;
  }
  if (!level.array && !check_list(level, false, offset)) return false;
  if (place.element && (place.twin || !place.content || !place.content->is_primitive())) {
    if (!report(ErrorCode::fhir_wrong_type, "an object is needed, not " + std::string(name_of(kind)), offset))
      return false;
    if (place.twin) return true;
  } else if (place.element && kind_of(*place.content) != kind &&
             !report(ErrorCode::fhir_wrong_type,
                     std::string(place.content->name()) + " is written as " +
                         std::string(name_of(kind_of(*place.content))) + ", not as " +
                         std::string(name_of(kind)),
                     offset)) {
    return false;
  }
  if (options_.typed && kind == NodeKind::string && text.empty() &&
      !report(ErrorCode::fhir_empty, "an empty string", offset))
    return false;
  std::uint32_t node = 0;
  if (!next_node(offset, level.array, node)) return false;
  ++level.count;
  set_value(node, kind, offset, text);
  return true;
}

bool JsonHandler::null(std::size_t offset) {
  if (levels_.empty()) {
    if (options_.typed) return stop(ErrorCode::fhir_wrong_type, "an object is needed, not null", offset);
    tree_->nodes[append_root(offset)].kind = NodeKind::null_;
    return true;
  }
  Level& level = levels_.back();
  const JsonPlace& place = level.place;
  const bool primitive = place.element && place.content && place.content->is_primitive();
  if (options_.typed && !(level.array && primitive) &&
      !report(ErrorCode::fhir_empty, "null stands only in an array of primitive values", offset))
    return false;
  if (place.resource_type) return true;
  std::uint32_t node = 0;
  if (!next_node(offset, level.array, node)) return false;
  ++level.count;
  auto& row = tree_->nodes[node];
  // A node that the twin made stays as it is; a new one waits for the twin to say more.
  if (row.kind == NodeKind::object && row.first_child == 0) {
    row.kind = place.element ? NodeKind::empty : NodeKind::null_;
    row.flags |= kNullItem;
    if (level.array && primitive) object_level().nulls = true;
  }
  return true;
}

const TypeDef* JsonHandler::resource_type(std::string_view ahead, std::size_t offset, bool root, bool& ok) {
  const std::string_view name = find_resource_type(ahead);
  const TypeDef* type = kiln::fhir::find_resource_type(name);
  if (type) return type;
  const ErrorCode code = name.empty() ? ErrorCode::fhir_required : ErrorCode::fhir_wrong_type;
  std::string text = name.empty() ? "resourceType is missing" : "resourceType names no R4 resource";
  ok = root ? stop(code, std::move(text), offset) : report(code, std::move(text), offset);
  return nullptr;
}

void JsonHandler::push(std::uint32_t node, const TypeDef* type, std::size_t offset) {
  Level& level = levels_.emplace_back();
  level.node = node;
  level.type = type;
  level.offset = static_cast<std::uint32_t>(offset);
  level.seen_begin = static_cast<std::uint32_t>(seen_.size());
}

bool JsonHandler::open_object(std::size_t offset, std::string_view ahead) {
  if (levels_.size() >= options_.depth_max)
    return stop(ErrorCode::limit_exceeded, "nested deeper than " + std::to_string(options_.depth_max),
                offset);
  bool ok = true;
  if (levels_.empty()) {
    const std::uint32_t root = append_root(offset);
    const TypeDef* type = options_.typed ? options_.type : nullptr;
    if (options_.typed && (!type || type->is_resource())) {
      type = resource_type(ahead, offset, true, ok);
      if (!ok) return false;
      tree_->nodes[root].type = static_cast<std::uint16_t>(type->index() + 1);
    }
    push(root, type, offset);
    return true;
  }
  Level& level = levels_.back();
  JsonPlace place = level.place;
  if (place.resource_type) return stop(ErrorCode::fhir_wrong_type, "a string is needed", offset);
  if (!level.array && !check_list(level, false, offset)) return false;
  const TypeDef* type = place.content;
  const bool primitive = type && type->is_primitive();
  if (place.element && primitive && !place.twin) {
    if (!report(ErrorCode::fhir_wrong_type, "a value is needed, not an object", offset)) return false;
    type = nullptr;
  } else if (type && type->is_resource()) {
    type = resource_type(ahead, offset, false, ok);
    if (!ok) return false;
    level.place.content = type;
  }
  std::uint32_t node = 0;
  if (!next_node(offset, level.array, node)) return false;
  ++level.count;
  level.place.content = place.content;
  auto& row = tree_->nodes[node];
  if (place.twin && row.kind == NodeKind::object) row.kind = NodeKind::empty;
  row.flags &= static_cast<std::uint8_t>(~kNullItem);
  push(node, type, offset);
  return true;
}

bool JsonHandler::check_duplicates(const Level& level) {
  const auto begin = seen_.begin() + level.seen_begin;
  if (seen_.end() - begin <= static_cast<std::ptrdiff_t>(kWideObject)) return true;
  std::vector<std::uint64_t> keys;
  for (auto at = begin; at != seen_.end(); ++at) keys.push_back(at->key);
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end(), are_variants) != keys.end() &&
      !report(ErrorCode::fhir_wrong_type, kTwoTypes, level.offset))
    return false;
  if (std::adjacent_find(keys.begin(), keys.end()) == keys.end()) return true;
  return report(ErrorCode::json_duplicate_key, "a member name appears twice", level.offset);
}

/// A null that neither the array nor its twin says anything about.
bool JsonHandler::check_nulls(const Level& level) {
  for (std::uint32_t at = tree_->nodes[level.node].first_child; at != 0; at = tree_->nodes[at].next_sibling) {
    const auto& row = tree_->nodes[at];
    if (row.kind == NodeKind::empty && row.first_child == 0 &&
        !report(ErrorCode::fhir_empty, "a null without a value beside it", row.offset))
      return false;
  }
  return true;
}

bool JsonHandler::close_object() {
  Level& level = levels_.back();
  level.place = {};
  if (!check_duplicates(level)) return false;
  if (level.nulls && !check_nulls(level)) return false;
  const bool resource = level.type && level.type->is_resource();
  if (options_.typed && !resource && tree_->nodes[level.node].first_child == 0 &&
      !report(ErrorCode::fhir_empty, "an empty object", level.offset))
    return false;
  seen_.resize(level.seen_begin);
  levels_.pop_back();
  return true;
}

bool JsonHandler::open_array(std::size_t offset) {
  if (levels_.size() >= options_.depth_max)
    return stop(ErrorCode::limit_exceeded, "nested deeper than " + std::to_string(options_.depth_max),
                offset);
  if (levels_.empty()) {
    if (options_.typed) return stop(ErrorCode::fhir_wrong_type, "an object is needed, not an array", offset);
    const std::uint32_t root = append_root(offset);
    tree_->nodes[root].kind = NodeKind::array;
    push(root, nullptr, offset);
    levels_.back().array = levels_.back().plain = true;
    return true;
  }
  Level& level = levels_.back();
  if (level.place.resource_type) return stop(ErrorCode::fhir_wrong_type, "a string is needed", offset);
  if (level.array) {
    if (level.place.element && !report(ErrorCode::fhir_wrong_type, "an array in an array", offset))
      return false;
    std::uint32_t node = 0;
    if (!next_node(offset, true, node)) return false;
    ++level.count;
    tree_->nodes[node].kind = NodeKind::array;
    push(node, nullptr, offset);
    levels_.back().array = levels_.back().plain = true;
    return true;
  }
  if (!check_list(level, true, offset)) return false;
  const JsonPlace place = level.place;
  push(level.node, nullptr, offset);
  Level& items = levels_.back();
  items.array = true;
  items.place = place;
  items.paired = partner_ != 0;
  items.cursor = partner_;
  return true;
}

bool JsonHandler::close_array() {
  Level& level = levels_.back();
  const bool empty = level.count == 0, short_of_twin = level.paired && level.cursor != 0;
  const std::size_t offset = level.offset;
  const bool plain = level.plain;
  levels_.pop_back();
  if (levels_.empty()) return true;
  if (options_.typed && empty && !report(ErrorCode::fhir_empty, "an empty array", offset)) return false;
  if (short_of_twin &&
      !report(ErrorCode::fhir_wrong_type, "the arrays with and without _ have different lengths", offset))
    return false;
  if (empty && !plain && !levels_.back().place.element) {
    Level& parent = levels_.back();
    tree_->nodes[append(parent, parent.place, false, offset)].kind = NodeKind::array;
  }
  return true;
}

}  // namespace kiln::fhir::detail
