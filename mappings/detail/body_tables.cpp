// `x via T else P` (hmap.md §8).

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

std::string value_set_name(const fhir::ValueSet& set) {
  const std::string url(set.url());
  return url.substr(url.rfind('/') + 1);
}

/// The required list of codes of an element; nullptr when any code may stand there.
const fhir::ValueSet* required_set(const fhir::ElementDef* element) {
  if (element == nullptr || element->binding() != fhir::BindingStrength::required) return nullptr;
  const fhir::ValueSet* set = element->value_set();
  return set != nullptr && set->rule() == fhir::ValueSetRule::list ? set : nullptr;
}

}  // namespace

void Body::check_outputs(const TableModel& table, const ast::Via& via, const Destination& destination) {
  const fhir::ValueSet* set = required_set(destination.element);
  if (set == nullptr || !destination.type.is_primitive("code")) return;
  std::vector<std::string> codes;
  for (const auto& code : set->codes()) codes.emplace_back(code.code());
  for (const auto& row : table.rows) {
    if (set->contains(row.value)) continue;
    auto& diagnostic =
        state_.report(ErrorCode::E0403, row.span,
                      "table " + std::string(table.declaration->name) + " produces \"" + row.value +
                          "\", not in required value set " + value_set_name(*set));
    diagnostic.notes.push_back(listed(codes));
    diagnostic.notes.push_back("used for `" + destination.name + "` at " +
                               state_.library.sources().place(via.table.span));
  }
  const auto check = [&](const std::optional<ast::Policy>& policy) {
    if (!policy || policy->action != ast::Policy::Action::literal || set->contains(policy->value->text))
      return;
    auto& diagnostic =
        state_.report(ErrorCode::E0403, policy->value->span,
                      "\"" + policy->value->text + "\" is not in required value set " + value_set_name(*set));
    diagnostic.notes.push_back(listed(codes));
  };
  check(via.otherwise);
  check(table.decl->otherwise);
}

/// W0404: codes of the HL7 table of the field that the table does not translate.
void Body::check_coverage(const TableModel& table, const Checked& key, base::Span span) {
  if (any_version_ || !table.rows_known || table.total || table.decl->otherwise) return;
  const ir::Expr expr = state_.unit().exprs[key.expr];
  if (expr.op != ir::Op::v2_path) return;
  const ir::V2Path& path = state_.unit().v2_paths[expr.a];
  if (path.component > 1 || path.subcomponent > 1) return;
  const std::uint32_t packed = state_.unit().segment_refs[path.segment].id;
  const std::string id = {static_cast<char>(packed >> 16 & 0xFF), static_cast<char>(packed >> 8 & 0xFF),
                          static_cast<char>(packed & 0xFF)};
  const auto segment = hl7::Dictionary(version_).segment(id);
  const auto field = segment ? segment->field(path.field) : std::nullopt;
  if (!field || field->table.empty()) return;
  const auto codes = hl7::Dictionary(version_).table(field->table);
  if (!codes) return;
  std::vector<std::string> missing;
  for (const auto& code : codes->codes) {
    const bool covered = std::any_of(table.rows.begin(), table.rows.end(),
                                     [&](const auto& row) { return row.key == code.code; });
    if (!covered) missing.emplace_back(code.code);
  }
  if (missing.empty()) return;
  auto& diagnostic = state_.report(ErrorCode::W0404, span,
                                   "table " + std::string(table.declaration->name) + " does not cover " +
                                       std::string(hl7::version_text(version_)) + " table " +
                                       std::string(field->table) + " codes " + listed(missing));
  diagnostic.severity = base::Severity::warning;
}

ir::LookupMode Body::lookup_mode(const TableModel& table, const Destination& destination, base::Span span) {
  const StaticType& type = destination.type;
  if (destination.kind != Destination::Kind::fhir || !type.is_complex()) return ir::LookupMode::code;
  const bool coding = type.is_complex("Coding"), codeable = type.is_complex("CodeableConcept");
  if (!coding && !codeable) return ir::LookupMode::code;
  if (!table.has_system) {
    auto& diagnostic = state_.report(ErrorCode::E0407, span,
                                     destination.name + " is a " + name_of(type) + "; table " +
                                         std::string(table.declaration->name) + " has no `system`");
    diagnostic.helps.push_back("`table " + std::string(table.declaration->name) + " system \"…\" { … }`");
  }
  return coding ? ir::LookupMode::coding : ir::LookupMode::codeable_concept;
}

void Body::fill_coded(ir::Lookup& lookup, StaticType& type, const Checked& key,
                      const Destination& destination, base::Span span) {
  auto& builder = state_.builder;
  const auto* coding = fhir::find_type("Coding");
  const auto* concept_type = fhir::find_type("CodeableConcept");
  const ir::Index coding_shape = builder.fhir_shape(*coding);
  for (const auto* element : {"system", "code", "display"})
    builder.fhir_member(coding_shape, *coding->element(element), nullptr);
  lookup.shape = coding_shape;
  type = fhir_type(coding);
  if (lookup.mode != ir::LookupMode::codeable_concept) return;
  lookup.shape = builder.fhir_shape(*concept_type);
  builder.fhir_member(lookup.shape, *concept_type->element("coding"), nullptr);
  type = fhir_type(concept_type);
  // The original coding stays beside the translated one when the source has a conversion of its own.
  if (!key.type.is_v2()) return;
  Destination original;
  original.kind = Destination::Kind::fhir;
  original.type = type;
  original.name = destination.name;
  if (const Declaration* map = find_conversion(key.type, "CodeableConcept", original, span, true)) {
    lookup.original = by_datatype_map(key, *map, type, span).expr;
  }
}

/// E0401: a column that the table is known not to have.
void Body::check_column(const TableModel& table, const ast::Name& column) {
  const auto& has = table.columns;
  if (has.empty() || std::find(has.begin(), has.end(), column.text) != has.end()) return;
  const std::string where = table.decl->source == ast::TableDecl::Source::csv ? " in " + table.decl->location->text : "";
  auto& diagnostic = state_.report(ErrorCode::E0401, column.span,
                                   "table " + std::string(table.declaration->name) + ": no column `" +
                                       column.text + "`" + where + " (has: " + listed(has) + ")");
  suggest(diagnostic, column.text, {has.begin(), has.end()});
}

Checked Body::via(const ast::Via& via, const Destination& destination, base::Span span) {
  const auto resolution = state_.library.resolve(*file_, via.table, DeclKind::table);
  if (resolution.found == nullptr) {
    if (!resolution.ambiguous.empty()) {
      state_.report(ErrorCode::E0302, via.table.span, "`" + via.table.text() + "` comes from two imports")
          .helps.push_back("`use … as` or a qualified name");
    } else {
      auto& diagnostic =
          state_.report(ErrorCode::E0305, via.table.span, "unknown table `" + via.table.text() + "`");
      suggest(diagnostic, via.table.parts.front().text,
              state_.library.names_in_scope(*file_, DeclKind::table));
    }
    return failed(span);
  }
  TableModel& table = state_.table(*resolution.found);
  ir::Lookup lookup;
  lookup.table = table.table;
  if (resolution.parts < via.table.parts.size()) {
    const ast::Name& extra = via.table.parts[resolution.parts];
    if (extra.text == "inverse") {
      lookup.table = state_.inverse(table, via.table.span);
    } else {
      lookup.mode = ir::LookupMode::column;
      lookup.column = state_.builder.string(extra.text);
    }
    if (lookup.mode == ir::LookupMode::column) check_column(table, extra);
  }
  const bool has_default =
      via.otherwise || table.decl->otherwise || table.total || policies_.unmapped != ir::kNone;
  if (!has_default) {
    auto& diagnostic =
        state_.report(ErrorCode::E0406, span, "`via " + via.table.text() + "` needs an `else`");
    diagnostic.helps.push_back(
        "keep | omit | warn … | reject … | quarantine | \"value\"; or a row `_ => …` in the table");
  }
  Checked key = check(*via.operand);
  if (!destination.list || destination.kind == Destination::Kind::any) key = to_scalar(key);
  if (key.type.is_error()) return failed(span);
  if (via.otherwise) {
    lookup.otherwise = state_.policy(*via.otherwise);
    can_reject_ = can_reject_ || via.otherwise->action == ast::Policy::Action::reject;
  }
  const auto& effective = via.otherwise ? via.otherwise : table.decl->otherwise;
  const bool literal = effective && effective->action == ast::Policy::Action::literal;
  lookup.covers_absent = literal && destination.required;
  lookup.text = state_.builder.string(text_of(via.operand->span));
  if (lookup.mode == ir::LookupMode::code) {
    lookup.mode = lookup_mode(table, destination, via.table.span);
    if (resolution.parts == via.table.parts.size()) check_outputs(table, via, destination);
  }
  if (!via.otherwise || strict_) check_coverage(table, key, via.table.span);
  std::uint16_t slot = ir::kNoSlot;
  Checked item = key;
  if (key.type.list) {
    slot = new_local();
    item = local(slot, key.type.item(), via.operand->span, true);
  }
  StaticType type = fhir_type(lookup.mode == ir::LookupMode::column ? "string" : "code");
  if (lookup.mode == ir::LookupMode::coding || lookup.mode == ir::LookupMode::codeable_concept) {
    fill_coded(lookup, type, item, destination, span);
  }
  lookup.key = item.expr;
  const auto index = static_cast<ir::Index>(state_.unit().lookups.size());
  state_.unit().lookups.push_back(lookup);
  const bool always = literal && (lookup.covers_absent || !key.optional);
  Checked found = done(make(ir::Op::lookup, index), type, span, false, !always);
  if (key.type.list) {
    found = done(make(ir::Op::each, key.expr, found.expr, slot), type.as_list(), span, false, true);
  }
  // The outputs of a written table are checked above; a code needs no second look. A file may change, and what is kept is what
  // was sent.
  const bool keeps = effective ? effective->action == ast::Policy::Action::keep : policies_.unmapped != ir::kNone;
  const bool fixed = state_.unit().tables[lookup.table].kind == ir::TableKind::literal;
  const bool known = lookup.mode == ir::LookupMode::code && fixed && !keeps;
  Destination plain = destination;
  if (destination.type.kind != StaticType::Kind::choice && (known || !destination.type.is_primitive("code")))
    plain.element = nullptr;
  return convert(std::move(found), plain, span);
}

}  // namespace kiln::mappings::detail
