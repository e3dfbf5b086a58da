#pragma once
// Builds a Unit: interning, shapes that grow while rules are lowered, and the final sort of their members.

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mappings/detail/ir.h"
#include "mappings/types.h"

namespace kiln::mappings::detail {

/// Until finish(), slots in Steps, ChoiceVariants and companions are draft slots (order of first use);
/// finish() sorts the members of every shape into output order and rewrites them.
class UnitBuilder {
 public:
  UnitBuilder();

  ir::Unit unit;

  ir::StringId string(std::string_view text);
  ir::TypeId type(const StaticType& type);
  ir::TypeId type(std::string_view name, ir::TypeKind kind, ir::Primitive primitive = ir::Primitive::none);
  ir::Index constant(ir::ConstantKind kind, std::string_view text, std::int64_t number = 0);
  ir::Index policy(const ir::Policy& policy);
  ir::Index policy_set(const ir::PolicySet& set);

  ir::Index expr(ir::Expr expr, base::Span span);
  ir::Range args(const std::vector<ir::Index>& args);
  ir::Range block(const std::vector<ir::Stmt>& stmts);

  /// A shape by its kind and name; made when missing.
  ir::Index shape(ir::ShapeKind kind, std::string_view name, ir::TypeId type);
  ir::Index fhir_shape(const fhir::TypeDef& type);
  /// Draft slot of a member by name; `make` is added when there is none yet.
  std::uint16_t member(ir::Index shape, const ir::Member& make);
  /// Draft slot of a FHIR element (of a choice: of one variant), with its choice registered.
  std::uint16_t fhir_member(ir::Index shape, const fhir::ElementDef& element, const fhir::ElementType* type);
  /// Draft slot of the `_x` twin of a FHIR primitive member.
  std::uint16_t companion(ir::Index shape, std::uint16_t slot);
  ir::Member& draft(ir::Index shape, std::uint16_t slot) { return drafts_[shape].members[slot]; }
  /// The variant's position in its choice.
  ir::Index choice_position(ir::Index shape, std::uint16_t slot) const;

  /// Appends the steps; owners[i] is the shape that steps[i] starts from.
  ir::Range steps(const std::vector<ir::Step>& steps, const std::vector<ir::Index>& owners);

  /// Sorts members, rewrites slots, fills the well-known slots. No changes afterwards.
  void finish();

 private:
  struct Draft {
    std::vector<ir::Member> members;
    std::unordered_map<ir::StringId, std::uint16_t> by_name;
    std::vector<std::uint16_t> final_slot;
  };
  struct ChoiceDraft {
    ir::Index shape;
    std::vector<ir::ChoiceVariant> variants;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  ir::Index choice(ir::Index shape, std::string_view name);
  void sort_members();
  void rewrite_slots();
  void fill_well_known();
  std::uint16_t final_slot_of(std::string_view shape, std::string_view member) const;

  std::unordered_map<std::string, ir::StringId, Hash, std::equal_to<>> strings_;
  std::unordered_map<std::string, ir::TypeId, Hash, std::equal_to<>> types_;
  std::map<std::pair<ir::ShapeKind, ir::StringId>, ir::Index> shapes_;
  std::map<std::pair<ir::Index, ir::StringId>, ir::Index> choices_;
  std::map<std::pair<ir::ConstantKind, ir::StringId>, ir::Index> constants_;
  std::vector<Draft> drafts_;
  std::vector<ChoiceDraft> choice_drafts_;
  std::vector<ir::Index> step_owners_;
};

ir::Primitive primitive_of(std::string_view fhir_name);

}  // namespace kiln::mappings::detail
