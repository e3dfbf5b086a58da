#pragma once
// What the JSON reader does with each event of the parser. Private to fhir/model/json_reader*.cpp.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fhir/model/json.h"
#include "fhir/primitives.h"

namespace kiln::fhir::detail {

/// What a member name means in the object it stands in.
struct JsonPlace {
  const ElementDef* element = nullptr;  ///< nullptr: unknown or untyped
  const TypeDef* content = nullptr;
  NameId name = kNoName;
  std::uint16_t element_position = 0;  ///< as in NodeRow
  bool twin = false;                   ///< written with "_": id and extensions of a primitive
  bool resource_type = false;          ///< the member resourceType
};

/// Builds the rows of a tree from JSON events in document order. Every event returns false when reading has
/// to stop; failure() then tells why.
class JsonHandler {
 public:
  JsonHandler(std::shared_ptr<TreeData> tree, const ReadOptions& options);

  bool scalar(NodeKind kind, std::size_t offset, std::string_view text);
  bool null(std::size_t offset);
  bool key(std::size_t offset, std::string_view name);
  /// `ahead`: the text from the bracket on, to look for resourceType.
  bool open_object(std::size_t offset, std::string_view ahead);
  bool close_object();
  bool open_array(std::size_t offset);
  bool close_array();

  const ReadIssue& failure() const { return failure_; }
  /// FHIRPath of the place that is being read.
  std::string path() const;

 private:
  struct Level {
    std::uint32_t node = 0;        ///< whose children are read
    std::uint32_t last_child = 0;  ///< of an object
    const TypeDef* type = nullptr;
    JsonPlace place;               ///< of an array: what its items are; of an object: its current member
    std::uint32_t offset = 0;      ///< of the bracket
    std::uint32_t seen_begin = 0;  ///< of an object: its members in seen_
    std::uint32_t cursor = 0;  ///< of an array with a twin that was read before: the node of the next item
    std::uint32_t count = 0;   ///< of an array: items
    bool array = false;
    bool paired = false;  ///< of an array: its twin was read before
    bool nulls = false;   ///< of an object: some array item was null
    bool plain = false;   ///< of an array: a node of its own (array in array, root)
  };
  struct Seen {
    std::uint64_t key;
    std::uint32_t first_node;
  };
  static constexpr std::size_t kWideObject = 64;  ///< members

  bool stop(base::ErrorCode code, std::string text, std::size_t offset);
  /// Records what can be read over; stops when nobody collects.
  bool report(base::ErrorCode code, std::string text, std::size_t offset);
  NameId intern(std::string_view name);
  JsonPlace find(const Level& level, std::string_view name);
  std::uint32_t append(Level& parent, const JsonPlace& place, bool list_item, std::size_t offset);
  std::uint32_t append_root(std::size_t offset);
  /// The node for the next value here, new or that of the twin; 0 when reading stops.
  bool next_node(std::size_t offset, bool list_item, std::uint32_t& node);
  bool check_list(const Level& level, bool is_array, std::size_t offset);
  const TypeDef* resource_type(std::string_view ahead, std::size_t offset, bool root, bool& ok);
  void set_value(std::uint32_t node, NodeKind kind, std::size_t offset, std::string_view text);
  bool check_duplicates(const Level& level);
  bool check_nulls(const Level& level);
  void push(std::uint32_t node, const TypeDef* type, std::size_t offset);
  Level& object_level() { return levels_.back().array ? levels_[levels_.size() - 2] : levels_.back(); }

  std::shared_ptr<TreeData> tree_;
  const ReadOptions& options_;
  std::vector<Level> levels_;
  std::vector<Seen> seen_;
  std::unordered_map<std::string_view, NameId> local_names_;
  ReadIssue failure_;
  std::uint32_t partner_ = 0;  ///< first node of the current member's twin; 0 = not read yet
};

}  // namespace kiln::fhir::detail
