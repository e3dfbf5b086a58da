#pragma once
// JSON as a tree that keeps number text, member order and byte offsets (fhir.md M1–M3). The only file that knows
// RapidJSON is json.cpp.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/limits.h"
#include "engine/base/result.h"

namespace kiln::base {

enum class JsonKind : std::uint8_t { null_, boolean, number, string, array, object };

struct JsonLimits {
  std::size_t bytes = limits::kMessageBytesMax;
  std::size_t depth = limits::kJsonDepthMax;
};

namespace detail {
struct JsonNode {
  JsonKind kind = JsonKind::null_;
  bool boolean = false;
  std::uint32_t key_begin = 0, key_size = 0;    ///< decoded member name, in the document's text pool
  std::uint32_t text_begin = 0, text_size = 0;  ///< decoded string, or number as written
  std::uint32_t first_child = 0;                ///< index of the first child; siblings are linked
  std::uint32_t next_sibling = 0;               ///< 0 = none (node 0 is the root, never a sibling)
  std::uint32_t children = 0;
  std::uint32_t offset = 0;                     ///< byte offset of the value in the source
};
struct JsonTree {
  std::string pool;
  std::vector<JsonNode> nodes;
};
}  // namespace detail

/// One value of a JsonDocument; borrowed, valid while the document lives. A default-made view is "absent".
class JsonView {
 public:
  JsonView() = default;
  bool exists() const { return tree_ != nullptr; }
  explicit operator bool() const { return exists(); }
  JsonKind kind() const { return node().kind; }
  bool is(JsonKind kind) const { return exists() && node().kind == kind; }
  bool is_object() const { return is(JsonKind::object); }
  bool is_array() const { return is(JsonKind::array); }
  bool is_string() const { return is(JsonKind::string); }

  /// String: decoded text. Number: as written. Boolean: "true"/"false". Otherwise empty. Absent: empty.
  std::string_view text() const;
  bool boolean() const { return exists() && node().boolean; }
  /// Name under which this value is a member; empty for array items and the root.
  std::string_view key() const;
  std::size_t offset() const { return node().offset; }
  /// Number of members or items.
  std::size_t size() const { return exists() ? node().children : 0; }
  /// Member by name; absent when this is no object or has none.
  JsonView operator[](std::string_view member) const;
  /// Item or member by position, from 0; absent beyond the end. Linear.
  JsonView at(std::size_t index) const;

  class Iterator {
   public:
    Iterator(const detail::JsonTree* tree, std::uint32_t node) : tree_(tree), node_(node) {}
    JsonView operator*() const { return JsonView(tree_, node_); }
    Iterator& operator++() {
      node_ = tree_->nodes[node_].next_sibling;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return node_ != other.node_; }

   private:
    const detail::JsonTree* tree_;
    std::uint32_t node_;
  };
  Iterator begin() const { return {tree_, exists() ? node().first_child : 0}; }
  Iterator end() const { return {tree_, 0}; }

  /// Identity of the node inside its document, for maps keyed by node.
  std::uint32_t id() const { return node_; }
  bool same_node(const JsonView& other) const { return tree_ == other.tree_ && node_ == other.node_; }

 private:
  friend class JsonDocument;
  JsonView(const detail::JsonTree* tree, std::uint32_t node) : tree_(tree), node_(node) {}
  const detail::JsonNode& node() const { return tree_->nodes[node_]; }
  const detail::JsonTree* tree_ = nullptr;
  std::uint32_t node_ = 0;
};

/// Owns a parsed document; immutable. Views into it stay valid when the document is moved.
class JsonDocument {
 public:
  JsonDocument() = default;
  JsonView root() const& { return tree_ ? JsonView(tree_.get(), 0) : JsonView(); }
  JsonView root() const&& = delete;
  /// Takes a tree built by the parser. For json.cpp only.
  explicit JsonDocument(std::shared_ptr<const detail::JsonTree> tree) : tree_(std::move(tree)) {}

 private:
  std::shared_ptr<const detail::JsonTree> tree_;
};

/// Strict RFC 8259. Errors json_syntax, json_duplicate_key, invalid_utf8, limit_exceeded, with "line L, column C" and
/// the path as place; never the value. A leading BOM is skipped; trailing bytes, NaN, lone surrogates are refused.
Result<JsonDocument> parse_json(std::string_view text, const JsonLimits& limits = {});

/// Writes compact JSON in the order of the calls; the caller keeps the structure balanced (asserted).
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& string(std::string_view value);       ///< escapes; must be UTF-8
  JsonWriter& number(std::string_view text);        ///< as written; must be valid JSON number text
  JsonWriter& integer(std::int64_t value);
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& value(JsonView view);                 ///< deep copy of a parsed value, number text kept
  JsonWriter& raw(std::string_view json);           ///< an already printed value
  JsonWriter& member(std::string_view name, std::string_view text) { return key(name).string(text); }

  const std::string& str() const& { return out_; }
  std::string take() { return std::move(out_); }

 private:
  void separate();
  std::string out_;
  std::vector<bool> has_items_;
  bool after_key_ = false;
};

/// Appends `text` as a JSON string with quotes.
void append_json_string(std::string& out, std::string_view text);
/// Compact, or with two-space indentation and a final newline.
std::string print_json(JsonView view, bool pretty = false);

}  // namespace kiln::base
