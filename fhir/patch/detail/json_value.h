#pragma once
// A JSON document that can be changed, for JSON Patch. Private to fhir/patch.

#include <string>
#include <utility>
#include <vector>

#include "fhir/model/tree.h"

namespace kiln::fhir::detail {

struct JsonMember;

struct JsonValue {
  NodeKind kind = NodeKind::null_;  ///< never `empty`
  std::string text;                 ///< of a string, number or boolean
  std::vector<JsonMember> members;
  std::vector<JsonValue> items;

  JsonValue* member(std::string_view name);
  /// Values in it, itself included, and its height.
  struct Size {
    std::size_t values = 0, height = 0, bytes = 0;
  };
  Size size() const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

/// From a node of an untyped tree.
JsonValue to_value(Node node);
void append_value(std::string& out, const JsonValue& value);
/// RFC 6902 §4.6: strings and numbers by value (numbers exactly), objects in any order.
bool same_value(const JsonValue& a, const JsonValue& b);

}  // namespace kiln::fhir::detail
