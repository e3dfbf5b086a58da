#pragma once
// The input of an operation ($x): from the URL, a Parameters resource, or one resource by itself
// (operations.html#executing).

#include <string>
#include <string_view>
#include <vector>

#include "fhir/interaction.h"

namespace kiln::fhir::detail {

/// Borrows the call.
class OperationInput {
 public:
  /// `known` lists the parameters of the operation. fhir_search_unknown for another one when the call is
  /// strict; fhir_invalid for Parameters without names.
  static Answer<OperationInput> read(const Call& call, std::vector<std::string_view> known);

  /// A primitive, by its text; empty when it is not there.
  std::string_view text(std::string_view name) const;
  bool flag(std::string_view name) const { return text(name) == "true"; }
  /// Every value of a parameter that may repeat.
  std::vector<std::string_view> texts(std::string_view name) const;
  /// A part, a complex value ("coding"): the value[x] of the parameter; absent when it is not there.
  base::JsonView value(std::string_view name) const;
  /// A resource; for `is_body` also the body itself when it is not a Parameters.
  base::JsonView resource(std::string_view name, bool is_body = true) const;

 private:
  const Call* call_ = nullptr;
  bool has_parameters_ = false;
};

/// Writes one output parameter after another.
class OperationOutput {
 public:
  OperationOutput();
  base::JsonWriter& parameter(std::string_view name);  ///< followed by members of the parameter, then end()
  void end() { out_.end_object(); }
  void text(std::string_view name, std::string_view value_member, std::string_view value);
  void boolean(std::string_view name, bool value);
  Reply reply();

 private:
  base::JsonWriter out_;
};

}  // namespace kiln::fhir::detail
