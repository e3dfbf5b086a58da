#pragma once
// A FHIR document as one arena tree (fhir.md M1–M8): JSON and XML readers build it, FHIRPath, validation,
// patch and the writers read it.
//
// A tree is typed (each node knows its element and type, as the R4 definitions say) or untyped (plain JSON:
// member names are elements). In both:
// - A repeating element is a run of sibling nodes of one name, each with is_list_item(); there is no node for
// the
//   array itself.
// - A primitive is ONE node: its value, and id and extensions as children (JSON `x` and `_x`).
// - Numbers and strings keep their text: 1.50 stays "1.50".
// - In a typed tree a choice element has its base name: valueQuantity is the node "value" of type Quantity.
// The
//   member `resourceType` is no node but the type of its resource.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fhir/definitions/definitions.h"
#include "fhir/model/names.h"

namespace kiln::fhir {

enum class NodeKind : std::uint8_t {
  object,   ///< a resource, complex type or inline content; an object of unknown meaning
  string,   ///< a primitive with a value; its text is the decoded string
  number,   ///< … the number as written
  boolean,  ///< … "true" or "false"
  empty,    ///< a primitive without a value: only id and extensions
  null_,    ///< untyped trees only: null
  array,    ///< untyped trees only: an array inside an array, an array as root, or an empty array
};

namespace detail {

enum NodeFlag : std::uint8_t {
  kListItem = 1,
  kNullItem = 2,  ///< while a JSON array is read: stands where the array has null
};

struct NodeRow {
  std::uint32_t parent = 0;
  std::uint32_t first_child = 0;   ///< 0 = none (node 0 is the root)
  std::uint32_t next_sibling = 0;  ///< 0 = none
  std::uint32_t text_begin = 0, text_size = 0;
  std::uint32_t offset = 0;
  NameId name = kNoName;
  std::uint16_t element = 0;  ///< position in all_elements() + 1; 0 = root, unknown or untyped
  std::uint16_t type = 0;     ///< position in all_types() + 1; 0 = unknown or untyped
  NodeKind kind = NodeKind::object;
  std::uint8_t flags = 0;
};

struct TreeData {
  struct Name {
    std::uint32_t begin, size;
  };
  std::string text;            ///< holds every text of the nodes
  std::vector<NodeRow> nodes;  ///< [0] is the root
  std::vector<Name> names;     ///< [id - kLocalNames]
};

/// A name for a path in a report: one that does not look like an element is "?", as it may hold anything.
std::string_view shown_name(const TreeData& tree, NameId id);

}  // namespace detail

/// One node of a Tree: a borrowed view of two words, valid while the Tree (or a copy of it) lives. A
/// default-made one is "absent": every question may be put to it, and the answers are empty.
class Node {
 public:
  Node() = default;
  bool exists() const { return tree_ != nullptr; }
  explicit operator bool() const { return exists(); }

  NodeKind kind() const { return tree_ ? row().kind : NodeKind::null_; }
  bool is_object() const { return tree_ && row().kind == NodeKind::object; }
  /// A string, number or boolean.
  bool has_value() const {
    return tree_ && row().kind >= NodeKind::string && row().kind <= NodeKind::boolean;
  }
  /// The text of the value (see NodeKind); empty when there is none.
  std::string_view text() const {
    return tree_ ? std::string_view(tree_->text).substr(row().text_begin, row().text_size)
                 : std::string_view();
  }

  /// The element's name ("value" for valueQuantity in a typed tree); empty for the root and items of arrays
  /// in arrays.
  std::string_view name() const;
  NameId name_id() const { return tree_ ? row().name : kNoName; }
  /// The member's name in JSON, which is the tag in XML ("valueQuantity").
  std::string_view json_name() const;
  /// nullptr for the root, unknown elements and untyped trees.
  const ElementDef* element() const {
    return tree_ && row().element ? &all_elements()[row().element - 1u] : nullptr;
  }
  /// The type of the content ("Quantity", "code", the resource's type, "Patient.contact" for inline content);
  /// nullptr when it is unknown.
  const TypeDef* type() const { return tree_ && row().type ? &all_types()[row().type - 1u] : nullptr; }
  bool is_resource() const { return type() != nullptr && type()->is_resource(); }
  bool is_primitive() const { return type() != nullptr && type()->is_primitive(); }
  /// One of a run of nodes that is an array in JSON, be it of one item.
  bool is_list_item() const { return tree_ && (row().flags & detail::kListItem); }
  /// Position among the siblings of its name, from 0. Linear in the siblings before it.
  std::size_t list_index() const;

  Node parent() const { return tree_ && id_ != 0 ? Node(tree_, row().parent) : Node(); }
  /// The nearest resource that holds this node, itself included; absent in a tree without one.
  Node resource() const;
  Node root() const { return tree_ ? Node(tree_, 0) : Node(); }
  Node first_child() const { return tree_ && row().first_child ? Node(tree_, row().first_child) : Node(); }
  Node next_sibling() const { return tree_ && row().next_sibling ? Node(tree_, row().next_sibling) : Node(); }

  class Iterator {
   public:
    Iterator(const detail::TreeData* tree, std::uint32_t id) : tree_(tree), id_(id) {}
    Node operator*() const { return Node(tree_, id_); }
    Iterator& operator++() {
      id_ = tree_->nodes[id_].next_sibling;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return id_ != other.id_; }

   private:
    const detail::TreeData* tree_;
    std::uint32_t id_;
  };
  /// Iterates over the children, in order.
  Iterator begin() const { return {tree_, tree_ ? row().first_child : 0}; }
  Iterator end() const { return {tree_, 0}; }

  /// The first child of that name (base name of a choice); absent when there is none. Linear in the children.
  Node operator[](std::string_view name) const;
  Node child(NameId name) const;
  /// Children of that name.
  std::size_t count(std::string_view name) const;
  /// This node when `index` is 0, else the index-th sibling of its name behind it: patient["name"].at(1).
  Node at(std::size_t index) const;

  /// Byte offset in the source where the value starts (JSON) or the tag (XML); 0 when built without a source.
  std::size_t offset() const { return tree_ ? row().offset : 0; }
  /// "Patient.name[0].given[1]", "Bundle.entry[2].resource.birthDate", "Observation.value": the FHIRPath of
  /// this node from its root. Positions for list items only.
  std::string path() const;

  /// Number of the node in its tree, below Tree::size(): a key for side tables.
  std::uint32_t id() const { return id_; }
  bool operator==(const Node& other) const { return tree_ == other.tree_ && id_ == other.id_; }

 private:
  friend class Tree;
  friend class TreeBuilder;
  Node(const detail::TreeData* tree, std::uint32_t id) : tree_(tree), id_(id) {}
  const detail::NodeRow& row() const { return tree_->nodes[id_]; }
  const detail::TreeData* tree_ = nullptr;
  std::uint32_t id_ = 0;
};

/// Owns a document; immutable, cheap to copy (shared), may be read by any thread. Nodes stay valid when it is
/// moved.
class Tree {
 public:
  Tree() = default;
  explicit Tree(std::shared_ptr<const detail::TreeData> data) : data_(std::move(data)) {}
  Node root() const& { return data_ && !data_->nodes.empty() ? Node(data_.get(), 0) : Node(); }
  Node root() const&& = delete;
  std::size_t size() const { return data_ ? data_->nodes.size() : 0; }
  /// The node with that id(); `id` is below size().
  Node node(std::uint32_t id) const& { return Node(data_.get(), id); }
  Node node(std::uint32_t id) const&& = delete;

 private:
  std::shared_ptr<const detail::TreeData> data_;
};

/// A place in a text, both from 1; the column counts bytes. A byte order mark at the start is not counted.
struct TextPlace {
  std::size_t line = 1, column = 1;
  std::string print() const;  ///< "line 3, column 7"
};
/// Linear in `offset`; for reports, not for every node.
TextPlace place_in(std::string_view source, std::size_t offset);

}  // namespace kiln::fhir
