#pragma once
// The model as rows that index each other and one string pool: what printing writes out one to one.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "fhir/definitions/detail/rows.h"
#include "fhir/definitions/generate/model.h"

namespace kiln::fhir::detail {

/// All texts, each once.
class StringPool {
 public:
  Text add(std::string_view text);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::map<std::string, Text, std::less<>> known_;
};

/// Lists of row numbers in one vector; equal lists are stored once.
class ListPool {
 public:
  Slice add(const std::vector<std::uint16_t>& list);
  const std::vector<std::uint16_t>& numbers() const { return numbers_; }

 private:
  std::vector<std::uint16_t> numbers_;
  std::map<std::vector<std::uint16_t>, Slice> known_;
};

struct PackedTables {
  StringPool strings;
  ListPool type_lists, invariant_lists, parameter_lists;
  std::vector<TypeRow> types;
  std::vector<std::uint16_t> type_slots;
  std::vector<ElementRow> elements;
  std::vector<ElementTypeRow> element_types;
  std::vector<MemberRow> members;
  std::vector<std::uint16_t> member_slots;
  std::vector<InvariantRow> invariants;
  std::vector<ValueSetRow> value_sets;
  std::vector<CodeRow> codes;
  std::vector<Text> systems;
  std::vector<SearchParameterRow> search_parameters;
  std::vector<ComponentRow> components;
  std::vector<CompartmentRow> compartments;
  std::vector<CompartmentMemberRow> compartment_members;
  std::vector<Text> compartment_parameters;
  std::vector<OperationRow> operations;
  DefinitionCounts counts{};
};

/// Errors: bad_definition when something names a type, parameter or element that does not exist;
/// limit_exceeded when a table outgrows its 16-bit row numbers.
base::Result<PackedTables> pack_tables(const DefinitionModel& model);

}  // namespace kiln::fhir::detail
