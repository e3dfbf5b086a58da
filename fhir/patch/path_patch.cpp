#include <algorithm>

#include "engine/base/limits.h"
#include "fhir/model/tree_builder.h"
#include "fhir/patch/patch.h"
#include "fhir/path/path.h"
#include "fhir/primitives.h"

namespace kiln::fhir {
namespace {

using base::ErrorCode;
using base::Result;
using base::Status;
namespace limits = base::limits;

/// A child in the new list of children of one node: one that was there, or a new value.
struct NewChild {
  Node old;
  const ElementDef* element = nullptr;
  const TypeDef* type = nullptr;  ///< of the content
  Node value;                     ///< the part of Parameters that holds it
};

/// Nodes copied by all operations of a patch; each copies the resource once.
constexpr std::uint64_t kNodesCopiedMax = 50'000'000;

Node part(Node operation, std::string_view name) {
  for (const Node at : operation)
    if (at.name() == "part" && at["name"].text() == name) return at;
  return {};
}

class Patcher {
 public:
  explicit Patcher(Node resource)
      : id_(resource["id"].text()), version_(resource["meta"]["versionId"].text()) {
    TreeBuilder builder;
    builder.open_root(resource.type());
    builder.copy_content(resource);
    builder.close();
    tree_ = builder.finish();
  }

  Result<Tree> apply(Node parameters) {
    for (const Node operation : parameters) {
      if (operation.name() != "parameter") continue;
      if (operation["name"].text() != "operation")
        return base::fail(ErrorCode::fhir_patch, "every parameter of a patch is named \"operation\"",
                          operation.path());
      if (++number_ > limits::kPatchOperationsMax)
        return base::fail(ErrorCode::limit_exceeded, "the patch has too many operations");
      TRY_VOID(run(operation));
    }
    // They belong to the server.
    const Node root = tree_.root();
    if (root["id"].text() != id_)
      return base::fail(ErrorCode::fhir_patch_failed, "the patch changes the id of the resource");
    if (root["meta"]["versionId"].text() != version_)
      return base::fail(ErrorCode::fhir_patch_failed, "the patch changes meta.versionId");
    return tree_;
  }

 private:
  tl::unexpected<base::Error> fail(ErrorCode code, std::string text) const {
    return base::fail(code, std::move(text), "operation " + std::to_string(number_));
  }
  tl::unexpected<base::Error> malformed(std::string text) const {
    return fail(ErrorCode::fhir_patch, std::move(text));
  }
  tl::unexpected<base::Error> impossible(std::string text) const {
    return fail(ErrorCode::fhir_patch_failed, std::move(text));
  }

  Result<std::string> text_part(Node operation, std::string_view name) const {
    const Node value = part(operation, name)["value"];
    if (value.kind() != NodeKind::string || value.text().empty())
      return malformed("the part " + std::string(name) + " is missing");
    return std::string(value.text());
  }

  Result<std::size_t> index_part(Node operation, std::string_view name) const {
    const Node value = part(operation, name)["value"];
    const std::string_view text = value.text();
    if (value.kind() != NodeKind::number || text.empty() || text.size() > 9 ||
        text.find_first_not_of("0123456789") != std::string_view::npos)
      return malformed("the part " + std::string(name) + " is missing or no position");
    return static_cast<std::size_t>(std::stoul(std::string(text)));
  }

  Result<std::vector<Node>> find(const std::string& path) const {
    CompileOptions options;
    options.type = tree_.root().type();
    auto compiled = PathExpression::compile(path, options);
    if (!compiled) return fail(compiled.error().code, "the path: " + compiled.error().text);
    const auto found = compiled->evaluate(tree_.root());
    if (!found) return fail(found.error().code, "the path: " + found.error().text);
    std::vector<Node> nodes;
    for (const PathItem& item : found->items()) {
      if (!item.is(PathKind::node) || !(item.node().root() == tree_.root()))
        return malformed("the path gives no elements of the resource");
      nodes.push_back(item.node());
    }
    return nodes;
  }

  Result<Node> find_one(const std::string& path) const {
    TRY(const std::vector<Node> nodes, find(path));
    if (nodes.empty()) return impossible("the path gives nothing");
    if (nodes.size() > 1) return impossible("the path gives several elements");
    return nodes.front();
  }

  Status run(Node operation) {
    TRY(const std::string type, text_part(operation, "type"));
    TRY(const std::string path, text_part(operation, "path"));
    if (type == "add") return add(operation, path);
    if (type == "insert") return insert(operation, path);
    if (type == "delete") return remove(path);
    if (type == "replace") return replace(operation, path);
    if (type == "move") return move(operation, path);
    return malformed("the type is none of add, insert, delete, replace, move");
  }

  /// The element of `owner` that `name` stands for, and the type of the new value in it.
  Result<NewChild> new_child(const TypeDef* owner, std::string_view name, Node value) const {
    if (!value) return malformed("the part value is missing");
    NewChild child;
    child.value = value;
    if (!owner) return impossible("the element has no known type");
    const ElementType* wanted = nullptr;
    child.element = owner->element(name);
    if (!child.element) {
      const JsonMember member = owner->element_by_json_name(name);
      child.element = member.element;
      wanted = member.type;
    }
    if (!child.element)
      return impossible(std::string(owner->name()) + " has no element " + std::string(name));
    TRY(child.type, content_type(*child.element, wanted, value));
    return child;
  }

  Result<const TypeDef*> content_type(const ElementDef& element, const ElementType* wanted,
                                      Node value) const {
    if (const TypeDef* inline_content = element.backbone()) {
      if (value["value"]) return impossible("the element has parts, not one value");
      return inline_content;
    }
    if (const Node resource = value["resource"]) {
      const TypeDef* only = element.only_type();
      if (only && only->is_resource()) return resource.type();
      return impossible("the element holds no resource");
    }
    const Node given = value["value"];
    if (!given && value["part"]) {
      // A complex type that Parameters cannot hold as a value (Extension) is given by its parts.
      const TypeDef* only = wanted ? &wanted->type() : element.only_type();
      if (only && only->kind() == TypeKind::complex) return only;
      return impossible("the element has no parts");
    }
    if (!given.type()) return malformed("the value has no known type");
    if (wanted && &wanted->type() == given.type()) return given.type();
    for (const ElementType& type : element.types())
      if (!wanted && &type.type() == given.type()) return given.type();
    // A primitive may be given as another one, when its text fits: valueString for a code or the narrative.
    const TypeDef* only = wanted ? &wanted->type() : element.only_type();
    if (only && only->is_primitive() && given.has_value() &&
        is_valid_primitive(primitive_of(*only), given.text()))
      return only;
    return impossible("the value is not of the type of the element");
  }

  Status write_content(TreeBuilder& builder, const TypeDef* type, Node value) const {
    if (const Node resource = value["resource"]) {
      builder.copy_content(resource);
      return {};
    }
    if (const Node given = value["value"]) {
      if (given.type() == type) {
        builder.copy_content(given);
      } else {
        builder.value(given.text());
      }
      return {};
    }
    bool any = false;
    for (const Node at : value) {
      if (at.name() != "part") continue;
      any = true;
      TRY(const NewChild child, new_child(type, at["name"].text(), at));
      builder.open(*child.element, child.type);
      TRY_VOID(write_content(builder, child.type, at));
      builder.close();
    }
    if (!any) return malformed("the value is empty");
    return {};
  }

  Status write_child(TreeBuilder& builder, const NewChild& child, Node parent,
                     const std::vector<NewChild>& list) {
    if (!child.old) {
      builder.open(*child.element, child.type);
      TRY_VOID(write_content(builder, child.type, child.value));
      builder.close();
      return {};
    }
    // Only the spine from the root to the changed parent is walked; everything beside it is copied whole.
    const auto [begin, end] = std::equal_range(spine_.begin(), spine_.end(), child.old.id());
    if (begin == end) {
      builder.copy(child.old);
      return {};
    }
    open_like(builder, child.old);
    TRY_VOID(write_node(builder, child.old, parent, list));
    builder.close();
    return {};
  }

  static void open_like(TreeBuilder& builder, Node node) {
    if (const ElementDef* element = node.element())
      builder.open(*element, node.type());
    else
      builder.open_unknown(node.name(), node.is_list_item());
    if (node.has_value()) builder.value(node.kind(), node.text());
  }

  Status write_node(TreeBuilder& builder, Node node, Node parent, const std::vector<NewChild>& list) {
    if (node == parent) {
      for (const NewChild& child : list) TRY_VOID(write_child(builder, child, {}, {}));
      return {};
    }
    for (const Node at : node) {
      NewChild child;
      child.old = at;
      TRY_VOID(write_child(builder, child, parent, list));
    }
    return {};
  }

  /// Makes the tree in which `parent` has these children.
  Status rebuild(Node parent, const std::vector<NewChild>& list) {
    copied_ += tree_.size();
    if (copied_ > kNodesCopiedMax) return fail(ErrorCode::limit_exceeded, "the patch costs too much");
    spine_.clear();
    for (Node at = parent; at; at = at.parent()) spine_.push_back(at.id());
    std::sort(spine_.begin(), spine_.end());
    TreeBuilder builder;
    builder.open_root(tree_.root().type());
    TRY_VOID(write_node(builder, tree_.root(), parent, list));
    builder.close();
    tree_ = builder.finish();
    return {};
  }

  static std::vector<NewChild> children_of(Node parent) {
    std::vector<NewChild> list;
    for (const Node at : parent) {
      list.emplace_back();
      list.back().old = at;
    }
    return list;
  }

  /// Where a new child of that element belongs: behind the items of its own list, which must stay together whatever
  /// order the members have; else behind all that come before it in the definition.
  static std::size_t place_for(const std::vector<NewChild>& list, const ElementDef& element) {
    for (std::size_t at = list.size(); at > 0; --at)
      if (list[at - 1].old.element() == &element) return at;
    std::size_t place = list.size();
    while (place > 0) {
      const ElementDef* before = list[place - 1].old.element();
      if (!before || before->order() <= element.order()) break;
      --place;
    }
    return place;
  }

  Status add(Node operation, const std::string& path) {
    TRY(const std::string name, text_part(operation, "name"));
    TRY(const Node target, find_one(path));
    TRY(NewChild child, new_child(target.type(), name, part(operation, "value")));
    if (!child.element->is_list() && target[child.element->name()])
      return impossible("the element is there already and does not repeat");
    std::vector<NewChild> list = children_of(target);
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(place_for(list, *child.element)), child);
    return rebuild(target, list);
  }

  /// The items of one list, all of them.
  Result<std::vector<Node>> find_list(const std::string& path) const {
    TRY(std::vector<Node> items, find(path));
    for (const Node item : items) {
      if (!item.is_list_item() || !(item.parent() == items[0].parent()) || item.name() != items[0].name())
        return impossible("the path gives no list");
    }
    if (!items.empty() && items.size() != items[0].parent().count(items[0].name()))
      return impossible("the path gives a part of a list");
    return items;
  }

  static std::size_t position_of(const std::vector<NewChild>& list, Node item) {
    std::size_t at = 0;
    while (!(list[at].old == item)) ++at;
    return at;
  }

  Status insert(Node operation, const std::string& path) {
    TRY(const std::size_t index, index_part(operation, "index"));
    TRY(const std::vector<Node> items, find_list(path));
    if (index > items.size()) return impossible("the list has no such position");
    Node parent;
    std::string name;
    if (items.empty()) {
      // Into a list that is not there yet: its parent is what the path gives without its last step.
      const std::size_t dot = path.rfind('.');
      if (dot == std::string::npos) return impossible("the path gives nothing");
      TRY(parent, find_one(path.substr(0, dot)));
      name = path.substr(dot + 1);
    } else {
      parent = items[0].parent();
      name = items[0].name();
    }
    TRY(NewChild child, new_child(parent.type(), name, part(operation, "value")));
    if (!child.element->is_list()) return impossible("the path gives no list");
    std::vector<NewChild> list = children_of(parent);
    const std::size_t place =
        items.empty() ? place_for(list, *child.element) : position_of(list, items[0]) + index;
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(place), child);
    return rebuild(parent, list);
  }

  Status remove(const std::string& path) {
    TRY(const std::vector<Node> nodes, find(path));
    if (nodes.empty()) return {};
    if (nodes.size() > 1) return impossible("the path gives several elements");
    Node target = nodes.front();
    // What would be left without content goes with it.
    const auto is_alone = [](Node node) {
      const Node parent = node.parent();
      return parent && parent.id() != 0 && !parent.is_resource() && !parent.has_value() &&
             parent.first_child() == node && !node.next_sibling();
    };
    while (is_alone(target)) target = target.parent();
    if (target.id() == 0) return impossible("the whole resource cannot be deleted");
    const Node parent = target.parent();
    std::vector<NewChild> list = children_of(parent);
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(position_of(list, target)));
    return rebuild(parent, list);
  }

  Status replace(Node operation, const std::string& path) {
    TRY(const Node target, find_one(path));
    const Node parent = target.parent();
    if (!parent) return impossible("the whole resource cannot be replaced");
    TRY(const NewChild child, new_child(parent.type(), target.name(), part(operation, "value")));
    std::vector<NewChild> list = children_of(parent);
    list[position_of(list, target)] = child;
    return rebuild(parent, list);
  }

  Status move(Node operation, const std::string& path) {
    TRY(const std::size_t source, index_part(operation, "source"));
    TRY(const std::size_t destination, index_part(operation, "destination"));
    TRY(const std::vector<Node> items, find_list(path));
    if (source >= items.size() || destination >= items.size())
      return impossible("the list has no such position");
    std::vector<NewChild> list = children_of(items[0].parent());
    const auto first = list.begin() + static_cast<std::ptrdiff_t>(position_of(list, items[0]));
    const auto from = first + static_cast<std::ptrdiff_t>(source),
               to = first + static_cast<std::ptrdiff_t>(destination);
    if (from < to)
      std::rotate(from, from + 1, to + 1);
    else
      std::rotate(to, from, from + 1);
    return rebuild(items[0].parent(), list);
  }

  std::string id_, version_;
  Tree tree_;
  std::vector<std::uint32_t> spine_;
  std::size_t number_ = 0;
  std::uint64_t copied_ = 0;
};

}  // namespace

Result<Tree> apply_path_patch(Node resource, Node parameters) {
  if (!parameters.type() || parameters.type()->name() != "Parameters")
    return base::fail(ErrorCode::fhir_patch, "a FHIRPath Patch is a Parameters resource");
  if (!resource.is_resource()) return base::fail(ErrorCode::fhir_patch, "only resources can be patched");
  return Patcher(resource).apply(parameters);
}

}  // namespace kiln::fhir
