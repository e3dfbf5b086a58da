#pragma once
// What a FHIRPath collection holds: a node of a tree or a value of the System types (FHIRPath N1 §4, §5).

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/partial_date.h"
#include "fhir/model/tree.h"

namespace kiln::fhir {

enum class PathKind : std::uint8_t {
  node,  ///< an element of a document, FHIR primitives included
  boolean,
  integer,
  decimal,  ///< exact, as text: "1.50"
  string,
  date,
  date_time,
  time,
  quantity,
  type,  ///< what type() gives: a namespace and a name
};

struct PathQuantity {
  std::string_view value;  ///< decimal
  std::string_view unit;   ///< UCUM code, or a calendar word in the singular ("year"); "1" when there is none
  bool calendar = false;   ///< the unit is a word
};

struct PathTypeName {
  std::string_view space, name;  ///< "FHIR" "Patient"
};

/// One item: a view of two words and a node. Valid while the PathResult or evaluation that holds its text
/// lives, and a node while its Tree lives.
class PathItem {
 public:
  PathItem() : integer_(0) {}
  static PathItem of(Node node) { return PathItem(PathKind::node, node); }
  static PathItem of_boolean(bool value) {
    PathItem item(PathKind::boolean);
    item.integer_ = value;
    return item;
  }
  static PathItem of_integer(std::int64_t value) {
    PathItem item(PathKind::integer);
    item.integer_ = value;
    return item;
  }
  /// `kind` is decimal or string; the caller keeps the text.
  static PathItem of_text(PathKind kind, std::string_view text) {
    PathItem item(kind);
    item.text_ = text.data();
    item.size_ = static_cast<std::uint32_t>(text.size());
    return item;
  }
  /// `kind` is date, date_time or time. A time has only hour to fraction.
  static PathItem of_date(PathKind kind, const base::PartialDate* value) {
    PathItem item(kind);
    item.date_ = value;
    return item;
  }
  static PathItem of_quantity(const PathQuantity* value) {
    PathItem item(PathKind::quantity);
    item.quantity_ = value;
    return item;
  }
  static PathItem of_type(const PathTypeName* value) {
    PathItem item(PathKind::type);
    item.type_ = value;
    return item;
  }

  PathKind kind() const { return kind_; }
  bool is(PathKind kind) const { return kind_ == kind; }
  // Each of these is for items of its kind only.
  Node node() const { return node_; }
  bool boolean() const { return integer_ != 0; }
  std::int64_t integer() const { return integer_; }
  std::string_view text() const { return {text_, size_}; }
  const base::PartialDate& date() const { return *date_; }
  const PathQuantity& quantity() const { return *quantity_; }
  const PathTypeName& type() const { return *type_; }

 private:
  explicit PathItem(PathKind kind, Node node = {}) : kind_(kind), integer_(0), node_(node) {}

  PathKind kind_ = PathKind::boolean;
  std::uint32_t size_ = 0;
  union {
    std::int64_t integer_;
    const char* text_;
    const base::PartialDate* date_;
    const PathQuantity* quantity_;
    const PathTypeName* type_;
  };
  Node node_;
};

/// As FHIRPath writes the value in toString(): "1.50", "2014-12-14T10:00:00Z", "1 'mg'", "4 days"; a node
/// gives its value.
std::string print_item(const PathItem& item);
/// "System.Integer", "FHIR.Patient"; of a node without a known type "FHIR.Element".
std::string type_name(const PathItem& item);

}  // namespace kiln::fhir
