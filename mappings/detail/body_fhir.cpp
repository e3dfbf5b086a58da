// Members: FHIR elements, csv columns, table columns, extensions, selectors on lists (hmap.md §3).

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

ir::FhirName fhir_name(UnitBuilder& builder, const fhir::ElementDef& element, const fhir::ElementType* type) {
  ir::FhirName name;
  const std::string json(type ? element.json_name(*type) : element.name());
  const fhir::TypeDef* content = type ? &type->type() : element.only_type();
  name.name = builder.string(json);
  name.list = element.is_list();
  if (content != nullptr) {
    name.type = builder.type(fhir_type(content));
    if (content->is_primitive()) name.companion = builder.string("_" + json);
  }
  return name;
}

std::vector<std::string_view> element_names(const fhir::TypeDef& type) {
  std::vector<std::string_view> names;
  for (const auto& element : type.elements()) names.push_back(element.name());
  return names;
}

}  // namespace

Checked Body::run_member(const ast::Name& name, base::Span span) {
  if (name.text == "received")
    return done(make(ir::Op::run_received), fhir_type("instant"), span, false, false);
  if (name.text == "channel") return done(make(ir::Op::run_channel), fhir_type("string"), span, false, false);
  if (name.text == "tz") return done(make(ir::Op::run_tz), fhir_type("string"), span, false, false);
  if (name.text == "message") return done(make(ir::Op::run_message), fhir_type("string"), span, false, false);
  auto& diagnostic = state_.report(ErrorCode::E0305, name.span, "`run` has no `" + name.text + "`");
  diagnostic.notes.push_back("run.received, run.channel, run.tz, run.message");
  return failed(span);
}

Checked Body::member(const ast::Member& member, base::Span span) {
  if (member.base->get_if<ast::This>()) return member_of(this_value(member.base->span), member.name, span);
  const auto* ident = member.base->get_if<ast::Ident>();
  if (ident != nullptr && find_binding(ident->name) == nullptr) {
    if (ident->name == "run") return run_member(member.name, span);
    ast::QName name;
    name.parts = {{ident->name, member.base->span}, member.name};
    name.span = span;
    const auto found = state_.library.resolve(*file_, name, DeclKind::constant);
    if (found.found != nullptr && found.parts == 2) return constant_decl(*found.found, span);
  }
  return member_of(check(*member.base), member.name, span);
}

Checked Body::member_of(Checked base, const ast::Name& name, base::Span span) {
  switch (base.type.kind) {
    case StaticType::Kind::error:
      return failed(span);
    case StaticType::Kind::fhir:
    case StaticType::Kind::choice:
      return fhir_member(std::move(base), name, span);
    case StaticType::Kind::csv_row:
    case StaticType::Kind::csv_group:
      return csv_member(std::move(base), name, span);
    case StaticType::Kind::table_row: {
      if (base.type.row != nullptr) return row_member(std::move(base), name);
      if (base.type.table != nullptr)
        check_column(state_.table(*static_cast<const Declaration*>(base.type.table)), name);
      const auto column = state_.builder.string(name.text);
      return done(make(ir::Op::table_column, base.expr, column), fhir_type("string"), name.span);
    }
    default:
      break;
  }
  auto& diagnostic =
      state_.report(ErrorCode::E0201, name.span, name_of(base.type) + " has no element `" + name.text + "`");
  if (base.type.is_v2()) diagnostic.helps.push_back("components of HL7 values are numbered: `.1`");
  return failed(span);
}

Checked Body::fhir_member(Checked base, const ast::Name& name, base::Span span) {
  std::vector<const fhir::TypeDef*> owners = base.type.kind == StaticType::Kind::choice
                                                 ? base.type.variants
                                                 : std::vector<const fhir::TypeDef*>{base.type.fhir};
  const fhir::ElementDef* element = nullptr;
  for (const auto* owner : owners) {
    if (const auto* found = owner->element(name.text)) element = found;
  }
  if (element == nullptr) {
    auto& diagnostic = state_.report(ErrorCode::E0201, name.span,
                                     name_of(base.type.item()) + " has no element `" + name.text + "`");
    suggest(diagnostic, name.text, element_names(*owners.front()));
    return failed(span);
  }
  StaticType type;
  auto& names = state_.unit().fhir_names;
  const auto first = static_cast<ir::Index>(names.size());
  if (element->is_choice()) {
    type.kind = StaticType::Kind::choice;
    for (const auto& allowed : element->types()) {
      names.push_back(fhir_name(state_.builder, *element, &allowed));
      type.variants.push_back(&allowed.type());
    }
    const std::string key = text_of(span);
    for (auto it = narrowed_.rbegin(); it != narrowed_.rend(); ++it) {
      if (it->key != key) continue;
      if (it->type.kind == StaticType::Kind::fhir) type = it->type;
      for (const auto* gone : it->excluded) std::erase(type.variants, gone);
      if (it->type.kind == StaticType::Kind::fhir) break;
    }
    if (type.kind == StaticType::Kind::choice && type.variants.size() == 1)
      type = fhir_type(type.variants.front());
  } else {
    const auto* only = element->types().empty() ? nullptr : &element->types().front();
    names.push_back(fhir_name(state_.builder, *element, nullptr));
    type = fhir_type(only ? &only->type() : element->backbone());
    if (type.is_error()) type = fhir_type("string");  // the `value` of a primitive
  }
  type.element = element;
  type.list = base.type.list || element->is_list();
  const auto count = static_cast<ir::Index>(names.size()) - first;
  return done(make(ir::Op::fhir_member, base.expr, first, count), type, span, false, true);
}

Checked Body::csv_member(Checked base, const ast::Name& name, base::Span span) {
  if (base.type.kind == StaticType::Kind::csv_group && name.text == "rows") {
    StaticType rows = base.type;
    rows.kind = StaticType::Kind::csv_row;
    rows.list = true;
    return done(make(ir::Op::group_rows, base.expr), rows, span, false, false);
  }
  const ir::CsvSchema& schema = state_.unit().csv_schemas[base.type.index];
  std::vector<std::string_view> names;
  for (ir::Index i = 0; i < schema.columns.count; ++i) {
    const ir::CsvColumn& column = state_.unit().csv_columns[schema.columns.first + i];
    const std::string_view column_name = state_.unit().text(column.name);
    names.push_back(column_name);
    if (column_name != name.text) continue;
    StaticType type = fhir_type(state_.unit().text(state_.unit().types[column.type].name));
    type.list = base.type.list;
    return done(make(ir::Op::csv_column, base.expr, i), type, span, false, !column.required);
  }
  auto& diagnostic = state_.report(
      ErrorCode::E0801, name.span,
      "CSV column \"" + name.text + "\" is not in " + std::string(state_.unit().text(schema.name)));
  suggest(diagnostic, name.text, names);
  return failed(span);
}

const Declaration* Body::find_extension(const ast::Name& name) {
  const auto found = state_.library.resolve(*file_, name.text, DeclKind::extension);
  if (found.found == nullptr) {
    auto& diagnostic =
        state_.report(ErrorCode::E0305, name.span, "no extension `" + name.text + "` is declared");
    suggest(diagnostic, name.text, state_.library.names_in_scope(*file_, DeclKind::extension));
    diagnostic.helps.push_back("declare it: `extension " + name.text + " = \"http://…\" : string`");
  }
  return found.found;
}

Checked Body::extension(const ast::ExtStep& step, base::Span span) {
  Checked base = step.base->get_if<ast::This>() ? this_value(step.base->span) : check(*step.base);
  const Declaration* declaration = find_extension(step.name);
  if (base.type.is_error() || declaration == nullptr) return failed(span);
  if (base.type.kind != StaticType::Kind::fhir && base.type.kind != StaticType::Kind::choice) {
    state_.report(ErrorCode::E0201, step.name.span, name_of(base.type) + " has no extensions");
    return failed(span);
  }
  const auto& decl = *declaration->decl->get_if<ast::ExtensionDecl>();
  StaticType type = state_.type(*declaration->file, decl.type);
  if (type.kind != StaticType::Kind::fhir) return failed(span);
  const fhir::ElementDef* value = fhir::find_type("Extension")->element("value");
  const fhir::ElementType* element_type = value->find_type(type.fhir->name());
  if (element_type == nullptr) return failed(span);
  const auto name = static_cast<ir::Index>(state_.unit().fhir_names.size());
  state_.unit().fhir_names.push_back(fhir_name(state_.builder, *value, element_type));
  type.list = base.type.list;
  return done(make(ir::Op::fhir_extension, base.expr, state_.builder.string(decl.url.text), name), type,
              span);
}

Checked Body::table_index(const Declaration& declaration, const ast::Selector& selector, base::Span span) {
  if (selector.kind != ast::Selector::Kind::at) {
    state_.report(ErrorCode::E0501, selector.span,
                  "a table is read with a key: `" + std::string(declaration.name) + "[key]`");
    return failed(span);
  }
  TableModel& table = state_.table(declaration);
  Checked key = check_scalar(*selector.expr, "the key");
  ir::Lookup lookup;
  lookup.table = table.table;
  lookup.key = key.expr;
  lookup.mode = ir::LookupMode::row;
  lookup.text = state_.builder.string(text_of(selector.expr->span));
  StaticType type;
  type.kind = StaticType::Kind::table_row;
  type.index = table.table;
  type.name = declaration.name;
  type.table = &declaration;
  const auto index = static_cast<ir::Index>(state_.unit().lookups.size());
  state_.unit().lookups.push_back(lookup);
  return done(make(ir::Op::table_row, index), type, span);
}

Checked Body::index(const ast::Index& index, base::Span span) {
  const auto* ident = index.base->get_if<ast::Ident>();
  if (ident != nullptr && find_binding(ident->name) == nullptr) {
    const auto table = state_.library.resolve(*file_, ident->name, DeclKind::table);
    if (table.found != nullptr) return table_index(*table.found, index.selector, span);
  }
  Checked base = check(*index.base);
  if (base.type.is_error()) return failed(span);
  const bool can_index = base.type.list && !base.type.is_v2();
  if (!can_index) {
    auto& diagnostic =
        state_.report(ErrorCode::E0501, index.selector.span,
                      text_of(index.base->span) + " is " + name_of(base.type) + ", not a list");
    if (base.type.is_v2()) diagnostic.helps.push_back("a repetition is chosen at the field: `PID-3[1]`");
    return failed(span);
  }
  const StaticType item = base.type.item();
  switch (index.selector.kind) {
    case ast::Selector::Kind::none:
    case ast::Selector::Kind::all:
      return base;
    case ast::Selector::Kind::last:
      return done(make(ir::Op::item, base.expr, ir::kNone), item, span);
    case ast::Selector::Kind::where: {
      const std::uint16_t slot = new_local();
      this_.push_back({slot, item});
      const ir::Index test = condition(*index.selector.expr);
      this_.pop_back();
      return done(make(ir::Op::filter, base.expr, test, slot), base.type, span);
    }
    case ast::Selector::Kind::at:
      break;
  }
  const auto* number = index.selector.expr->get_if<ast::Literal>();
  const int position =
      number && number->kind == ast::Literal::Kind::number ? std::atoi(number->text.c_str()) : 0;
  if (position < 1) {
    state_.report(ErrorCode::E0501, index.selector.span, "the index of a list is a number from 1");
    return failed(span);
  }
  return done(make(ir::Op::item, base.expr, static_cast<ir::Index>(position)), item, span);
}

Checked Body::of_type(const ast::Of& of, base::Span span) {
  Checked base = check(*of.operand);
  if (base.type.is_error()) return failed(span);
  StaticType type = state_.type(*file_, of.type);
  if (type.is_error()) return failed(span);
  const bool takes = type.kind == StaticType::Kind::fhir &&
                     (base.type.kind == StaticType::Kind::choice || base.type.kind == StaticType::Kind::fhir);
  if (!takes) {
    state_.report(
        ErrorCode::E0501, span,
        "`of` chooses FHIR values by type, " + text_of(of.operand->span) + " is " + name_of(base.type));
    return failed(span);
  }
  type.list = base.type.list;
  const auto id = state_.builder.type(type);
  return done(make(ir::Op::of_type, base.expr, id), type, span);
}

}  // namespace kiln::mappings::detail
