#pragma once
// Makes a Tree from the top down, in document order: for readers, patch and code that writes resources.

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fhir/model/tree.h"

namespace kiln::fhir {

/// open_root() first; then for each child open…(), perhaps value(), its children, close(). Items of one list
/// are opened one after the other, with nothing between. The builder copies every text. Misuse (no open node,
/// finish() with open nodes) is a bug and asserted; what a document may do wrong is checked by the readers.
class TreeBuilder {
 public:
  /// `bytes_expected`: of the source, to reserve memory once.
  explicit TreeBuilder(std::size_t bytes_expected = 0);

  /// `type` nullptr: an untyped tree.
  void open_root(const TypeDef* type, std::size_t offset = 0);
  /// A known element. `type`: of the content; for a choice the one that is there; for `contained`,
  /// `entry.resource`, … the type of the resource; nullptr when that is unknown. A primitive type makes a
  /// node without value (empty) until value() is called.
  void open(const ElementDef& element, const TypeDef* type, std::size_t offset = 0);
  /// An element that the definitions do not know, or any member of an untyped tree.
  void open_unknown(std::string_view name, bool list_item, std::size_t offset = 0);
  /// Gives the open node a value: string, number (JSON grammar) or boolean ("true", "false"). Also null_ and
  /// array, in untyped trees.
  void value(NodeKind kind, std::string_view text);
  /// The same with the kind that the open node's primitive type has in JSON.
  void value(std::string_view text);
  void close();

  /// open() + value() + close(), with the element's only type.
  void add(const ElementDef& element, std::string_view text);
  /// By name in the open node's type; the name of a choice is its JSON name ("valueString"). The caller knows
  /// that the element exists (asserted).
  void open(std::string_view json_name);
  void add(std::string_view json_name, std::string_view text);

  /// A deep copy of `from` (of whatever tree) as the next child of the open node, with its name and type.
  void copy(Node from);
  /// Value and children of `from` into the open node.
  void copy_content(Node from);

  /// Open nodes.
  std::size_t depth() const { return open_.size(); }
  /// The type of the innermost open node; nullptr when it is unknown.
  const TypeDef* type() const;
  /// FHIRPath of the innermost open node, as Node::path() gives it.
  std::string path() const;

  /// The tree; the builder is empty afterwards.
  Tree finish();

 private:
  struct Open {
    std::uint32_t node, last_child;
  };
  detail::NodeRow& append(std::size_t offset);
  NameId intern(std::string_view name);

  std::shared_ptr<detail::TreeData> data_;
  std::vector<Open> open_;
  std::unordered_map<std::string, NameId> local_names_;
};

}  // namespace kiln::fhir
