#include "mappings/detail/unit_builder.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

namespace kiln::mappings::detail {
namespace {

constexpr std::array<std::string_view, 20> kPrimitives = {
    "boolean",      "integer",  "positiveInt", "unsignedInt", "decimal",   "string", "code",
    "id",           "markdown", "uri",         "url",         "canonical", "oid",    "uuid",
    "base64Binary", "date",     "dateTime",    "instant",     "time",      "xhtml"};

ir::TypeKind kind_of(const StaticType& type) {
  switch (type.kind) {
    case StaticType::Kind::fhir:
      return type.fhir->is_primitive() ? ir::TypeKind::primitive : ir::TypeKind::fhir;
    case StaticType::Kind::choice:
      return ir::TypeKind::choice;
    case StaticType::Kind::v2:
      return ir::TypeKind::v2_composite;
    case StaticType::Kind::varies:
      return ir::TypeKind::v2_varies;
    case StaticType::Kind::segment:
      return ir::TypeKind::segment;
    case StaticType::Kind::csv_row:
      return ir::TypeKind::csv_row;
    case StaticType::Kind::csv_group:
      return ir::TypeKind::csv_group;
    case StaticType::Kind::table_row:
      return ir::TypeKind::table_row;
    default:
      return ir::TypeKind::none;
  }
}

}  // namespace

ir::Primitive primitive_of(std::string_view name) {
  const auto found = std::find(kPrimitives.begin(), kPrimitives.end(), name);
  if (found == kPrimitives.end()) return ir::Primitive::none;
  return static_cast<ir::Primitive>(found - kPrimitives.begin() + 1);
}

UnitBuilder::UnitBuilder() {
  unit.types.push_back({});
  for (const auto name : kPrimitives) type(name, ir::TypeKind::primitive, primitive_of(name));
  unit.policies.push_back({});
  ir::Policy warn;
  warn.warn = true;
  const ir::Index bad = policy(warn);
  unit.policy_sets.push_back({bad, 0, ir::kNone, ir::kNone});
}

ir::StringId UnitBuilder::string(std::string_view text) {
  const auto found = strings_.find(text);
  if (found != strings_.end()) return found->second;
  const auto id = static_cast<ir::StringId>(unit.strings.size());
  unit.strings.emplace_back(text);
  strings_.emplace(text, id);
  return id;
}

ir::TypeId UnitBuilder::type(std::string_view name, ir::TypeKind kind, ir::Primitive primitive) {
  std::string key = std::to_string(static_cast<int>(kind)) + ":" + std::string(name);
  const auto found = types_.find(key);
  if (found != types_.end()) return found->second;
  const auto id = static_cast<ir::TypeId>(unit.types.size());
  unit.types.push_back({kind, primitive, string(name), ir::kNone});
  types_.emplace(std::move(key), id);
  return id;
}

ir::TypeId UnitBuilder::type(const StaticType& type_of) {
  const ir::TypeKind kind = kind_of(type_of);
  if (kind == ir::TypeKind::none) return 0;
  if (kind == ir::TypeKind::choice) return type("choice", kind);
  const std::string_view name = type_of.kind == StaticType::Kind::fhir ? type_of.fhir->name() : type_of.name;
  if (type_of.kind == StaticType::Kind::v2) {
    static constexpr std::array kFlat = {"ST", "ID", "IS",  "NM", "SI",  "TX",
                                         "FT", "DT", "DTM", "TM", "GTS", "SNM"};
    const bool flat = std::find(kFlat.begin(), kFlat.end(), name) != kFlat.end();
    return type(name, flat ? ir::TypeKind::v2_primitive : ir::TypeKind::v2_composite);
  }
  return type(name, kind, kind == ir::TypeKind::primitive ? primitive_of(name) : ir::Primitive::none);
}

ir::Index UnitBuilder::constant(ir::ConstantKind kind, std::string_view text, std::int64_t number) {
  const auto key = std::pair(kind, string(text));
  const auto found = constants_.find(key);
  if (found != constants_.end()) return found->second;
  const auto id = static_cast<ir::Index>(unit.constants.size());
  unit.constants.push_back({kind, key.second, number});
  constants_.emplace(key, id);
  return id;
}

ir::Index UnitBuilder::policy(const ir::Policy& wanted) {
  const auto tie = [](const ir::Policy& p) {
    return std::tie(p.kind, p.warn, p.ar, p.error, p.text, p.literal);
  };
  for (std::size_t i = 0; i < unit.policies.size(); ++i) {
    if (tie(unit.policies[i]) == tie(wanted)) return static_cast<ir::Index>(i);
  }
  unit.policies.push_back(wanted);
  return static_cast<ir::Index>(unit.policies.size() - 1);
}

ir::Index UnitBuilder::policy_set(const ir::PolicySet& wanted) {
  const auto tie = [](const ir::PolicySet& s) { return std::tie(s.bad, s.null, s.unmapped, s.missing); };
  for (std::size_t i = 0; i < unit.policy_sets.size(); ++i) {
    if (tie(unit.policy_sets[i]) == tie(wanted)) return static_cast<ir::Index>(i);
  }
  unit.policy_sets.push_back(wanted);
  return static_cast<ir::Index>(unit.policy_sets.size() - 1);
}

ir::Index UnitBuilder::expr(ir::Expr expr, base::Span span) {
  unit.exprs.push_back(expr);
  unit.expr_spans.push_back(span);
  return static_cast<ir::Index>(unit.exprs.size() - 1);
}

ir::Range UnitBuilder::args(const std::vector<ir::Index>& list) {
  const ir::Range range{static_cast<ir::Index>(unit.args.size()), static_cast<ir::Index>(list.size())};
  unit.args.insert(unit.args.end(), list.begin(), list.end());
  return range;
}

ir::Range UnitBuilder::block(const std::vector<ir::Stmt>& stmts) {
  const ir::Range range{static_cast<ir::Index>(unit.stmts.size()), static_cast<ir::Index>(stmts.size())};
  unit.stmts.insert(unit.stmts.end(), stmts.begin(), stmts.end());
  return range;
}

ir::Index UnitBuilder::shape(ir::ShapeKind kind, std::string_view name, ir::TypeId type_id) {
  const auto key = std::pair(kind, string(name));
  const auto found = shapes_.find(key);
  if (found != shapes_.end()) return found->second;
  const auto id = static_cast<ir::Index>(unit.shapes.size());
  ir::Shape made;
  made.kind = kind;
  made.type = type_id;
  made.name = key.second;
  if (kind == ir::ShapeKind::v2_segment) made.segment = ir::pack_segment(name);
  unit.shapes.push_back(made);
  drafts_.emplace_back();
  shapes_.emplace(key, id);
  if (type_id != 0 && unit.types[type_id].shape == ir::kNone) unit.types[type_id].shape = id;
  return id;
}

ir::Index UnitBuilder::fhir_shape(const fhir::TypeDef& type_def) {
  const ir::Index id = shape(ir::ShapeKind::fhir, type_def.name(), type(fhir_type(&type_def)));
  unit.shapes[id].resource = type_def.is_resource();
  return id;
}

std::uint16_t UnitBuilder::member(ir::Index shape_id, const ir::Member& make) {
  Draft& draft = drafts_[shape_id];
  const auto found = draft.by_name.find(make.name);
  if (found != draft.by_name.end()) return found->second;
  const auto slot = static_cast<std::uint16_t>(draft.members.size());
  draft.members.push_back(make);
  draft.by_name.emplace(make.name, slot);
  return slot;
}

std::uint16_t UnitBuilder::fhir_member(ir::Index shape_id, const fhir::ElementDef& element,
                                       const fhir::ElementType* element_type) {
  const std::string json(element_type ? element.json_name(*element_type) : element.name());
  ir::Member made;
  made.name = string(json);
  const auto found = drafts_[shape_id].by_name.find(made.name);
  if (found != drafts_[shape_id].by_name.end()) return found->second;
  made.key = string("\"" + json + "\":");
  made.order = static_cast<std::uint16_t>(element.order());
  made.list = element.is_list();
  made.required = element.is_required();
  const fhir::TypeDef* content = element_type ? &element_type->type() : element.only_type();
  if (content != nullptr) {
    made.type = type(fhir_type(content));
    if (!content->is_primitive()) made.shape = fhir_shape(*content);
  }
  if (element.is_choice()) made.choice = choice(shape_id, element.name());
  const auto slot = member(shape_id, made);
  if (made.choice != ir::kNone) choice_drafts_[made.choice].variants.push_back({made.type, slot});
  return slot;
}

std::uint16_t UnitBuilder::companion(ir::Index shape_id, std::uint16_t slot) {
  const ir::Member base = drafts_[shape_id].members[slot];
  if (base.companion != ir::kNoSlot) return base.companion;
  ir::Member made;
  const std::string name = "_" + unit.strings[base.name];
  made.name = string(name);
  made.key = string("\"" + name + "\":");
  made.order = base.order;
  made.list = base.list;
  made.is_companion = true;
  made.shape = fhir_shape(*fhir::find_type("Element"));
  made.type = unit.shapes[made.shape].type;
  const auto twin = member(shape_id, made);
  drafts_[shape_id].members[slot].companion = twin;
  return twin;
}

ir::Index UnitBuilder::choice(ir::Index shape_id, std::string_view name) {
  const auto key = std::pair(shape_id, string(name));
  const auto found = choices_.find(key);
  if (found != choices_.end()) return found->second;
  const auto id = static_cast<ir::Index>(unit.choices.size());
  unit.choices.push_back({key.second, {}});
  choice_drafts_.push_back({shape_id, {}});
  choices_.emplace(key, id);
  return id;
}

ir::Index UnitBuilder::choice_position(ir::Index shape_id, std::uint16_t slot) const {
  const ir::Index choice_id = drafts_[shape_id].members[slot].choice;
  const auto& variants = choice_drafts_[choice_id].variants;
  const auto found =
      std::find_if(variants.begin(), variants.end(), [&](const auto& v) { return v.slot == slot; });
  return static_cast<ir::Index>(found - variants.begin());
}

ir::Range UnitBuilder::steps(const std::vector<ir::Step>& list, const std::vector<ir::Index>& owners) {
  const ir::Range range{static_cast<ir::Index>(unit.steps.size()), static_cast<ir::Index>(list.size())};
  unit.steps.insert(unit.steps.end(), list.begin(), list.end());
  step_owners_.insert(step_owners_.end(), owners.begin(), owners.end());
  return range;
}

void UnitBuilder::sort_members() {
  for (std::size_t s = 0; s < drafts_.size(); ++s) {
    Draft& draft = drafts_[s];
    std::vector<std::uint16_t> order(draft.members.size());
    std::iota(order.begin(), order.end(), std::uint16_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) {
      const auto& left = draft.members[a];
      const auto& right = draft.members[b];
      return std::tuple(left.order, left.is_companion) < std::tuple(right.order, right.is_companion);
    });
    draft.final_slot.resize(order.size());
    unit.shapes[s].members = {static_cast<ir::Index>(unit.members.size()),
                              static_cast<ir::Index>(order.size())};
    for (std::size_t i = 0; i < order.size(); ++i) {
      draft.final_slot[order[i]] = static_cast<std::uint16_t>(i);
      unit.members.push_back(draft.members[order[i]]);
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      auto& twin = unit.members[unit.shapes[s].members.first + i].companion;
      if (twin != ir::kNoSlot) twin = draft.final_slot[twin];
    }
  }
}

void UnitBuilder::rewrite_slots() {
  for (std::size_t i = 0; i < unit.steps.size(); ++i) {
    ir::Step& step = unit.steps[i];
    if (step.slot != ir::kNoSlot) step.slot = drafts_[step_owners_[i]].final_slot[step.slot];
    // The value slot of an extension write belongs to the Extension shape, which the step names.
    if (step.value_slot != ir::kNoSlot) step.value_slot = drafts_[step.shape].final_slot[step.value_slot];
  }
  for (std::size_t c = 0; c < choice_drafts_.size(); ++c) {
    unit.choices[c].variants = {static_cast<ir::Index>(unit.choice_variants.size()),
                                static_cast<ir::Index>(choice_drafts_[c].variants.size())};
    for (auto variant : choice_drafts_[c].variants) {
      variant.slot = drafts_[choice_drafts_[c].shape].final_slot[variant.slot];
      unit.choice_variants.push_back(variant);
    }
  }
}

std::uint16_t UnitBuilder::final_slot_of(std::string_view shape_name, std::string_view member_name) const {
  const auto shape_string = strings_.find(shape_name);
  const auto member_string = strings_.find(member_name);
  if (shape_string == strings_.end() || member_string == strings_.end()) return ir::kNoSlot;
  const auto found = shapes_.find({ir::ShapeKind::fhir, shape_string->second});
  if (found == shapes_.end()) return ir::kNoSlot;
  const Draft& draft = drafts_[found->second];
  const auto slot = draft.by_name.find(member_string->second);
  return slot == draft.by_name.end() ? ir::kNoSlot : draft.final_slot[slot->second];
}

void UnitBuilder::fill_well_known() {
  unit.identifier_system = final_slot_of("Identifier", "system");
  unit.identifier_value = final_slot_of("Identifier", "value");
  if (unit.identifier_value != ir::kNoSlot) {
    unit.identifier_shape = shapes_.at({ir::ShapeKind::fhir, string("Identifier")});
  }
  unit.coding_system = final_slot_of("Coding", "system");
  unit.coding_code = final_slot_of("Coding", "code");
  unit.coding_display = final_slot_of("Coding", "display");
  unit.concept_coding = final_slot_of("CodeableConcept", "coding");
}

void UnitBuilder::finish() {
  sort_members();
  rewrite_slots();
  fill_well_known();
}

}  // namespace kiln::mappings::detail
