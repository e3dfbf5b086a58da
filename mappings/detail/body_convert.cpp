// Conversion by type (hmap.md §7): datatype maps, built-in conversions, the version bridge, choice elements.

#include <algorithm>
#include <array>

#include "hl7/dictionary/widening.h"
#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

ir::Conversion conversion_to(std::string_view primitive) {
  struct Row {
    std::string_view name;
    ir::Conversion conversion;
  };
  static constexpr std::array<Row, 19> kRows = {{{"string", ir::Conversion::to_string},
                                                 {"code", ir::Conversion::to_code},
                                                 {"id", ir::Conversion::to_id},
                                                 {"uri", ir::Conversion::to_uri},
                                                 {"url", ir::Conversion::to_uri},
                                                 {"canonical", ir::Conversion::to_uri},
                                                 {"oid", ir::Conversion::to_uri},
                                                 {"uuid", ir::Conversion::to_uri},
                                                 {"boolean", ir::Conversion::to_boolean},
                                                 {"integer", ir::Conversion::to_integer},
                                                 {"positiveInt", ir::Conversion::to_positive_int},
                                                 {"unsignedInt", ir::Conversion::to_unsigned_int},
                                                 {"decimal", ir::Conversion::to_decimal},
                                                 {"date", ir::Conversion::to_date},
                                                 {"dateTime", ir::Conversion::to_date_time},
                                                 {"instant", ir::Conversion::to_instant},
                                                 {"time", ir::Conversion::to_time},
                                                 {"base64Binary", ir::Conversion::to_base64},
                                                 {"markdown", ir::Conversion::to_markdown}}};
  for (const auto& row : kRows) {
    if (row.name == primitive) return row.conversion;
  }
  return ir::Conversion::to_string;
}

bool one_of(std::string_view name, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

bool is_date_primitive(std::string_view name) {
  return one_of(name, {"date", "dateTime", "instant"});
}
bool is_number_primitive(std::string_view name) {
  return one_of(name, {"integer", "positiveInt", "unsignedInt", "decimal"});
}

/// Primitive to primitive, without and with `as`.
bool primitive_fits(std::string_view from, std::string_view to, bool explicit_cast) {
  if (from == to) return true;
  if (is_text_primitive(from) && is_text_primitive(to)) return true;
  if (is_number_primitive(from) && is_number_primitive(to)) return explicit_cast || from != "decimal";
  if (to == "dateTime" && is_date_primitive(from)) return true;
  return explicit_cast;
}

}  // namespace

/// v2 primitive to FHIR primitive.
std::optional<ir::Conversion> Body::builtin(const StaticType& from, std::string_view to,
                                            bool explicit_cast) const {
  const ir::Conversion conversion = conversion_to(to);
  if (from.kind == StaticType::Kind::varies) return explicit_cast ? std::optional(conversion) : std::nullopt;
  const std::string_view name = from.name;
  const bool text = one_of(name, {"ST", "TX", "FT", "ID", "IS", "GTS", "CM"});
  const bool number = one_of(name, {"NM", "SI", "SNM", "SEQ"});
  const bool date = one_of(name, {"DT", "DTM", "TS"});
  if (!text && !number && !date && name != "TM") {
    // On demand a composite reads as its first leaf, as a receiver of a plain value would (hl7v2.md §6).
    return explicit_cast && is_text_primitive(to) ? std::optional(conversion) : std::nullopt;
  }
  if (is_text_primitive(to))
    return text || number || explicit_cast ? std::optional(conversion) : std::nullopt;
  if (is_number_primitive(to)) return number || explicit_cast ? std::optional(conversion) : std::nullopt;
  if (is_date_primitive(to)) return date || explicit_cast ? std::optional(conversion) : std::nullopt;
  if (to == "time") return name == "TM" || explicit_cast ? std::optional(conversion) : std::nullopt;
  if (to == "boolean") return name == "ID" || explicit_cast ? std::optional(conversion) : std::nullopt;
  return std::nullopt;
}

Checked Body::convert(Checked value, const Destination& destination, base::Span span) {
  if (value.type.is_error() || value.type.kind == StaticType::Kind::absent) return value;
  if (destination.kind == Destination::Kind::any) return value;
  if (!value.type.list) return convert_item(std::move(value), destination, span);
  if (!destination.list) {
    value = to_scalar(value);
    if (!value.type.list) return convert_item(std::move(value), destination, span);
    const std::string source = text_of(span);
    auto& diagnostic = state_.report(ErrorCode::E0203, span,
                                     "`" + destination.name + "` (0..1 " + name_of(destination.type) +
                                         ") gets a list: " + source + " is " + name_of(value.type),
                                     "a list");
    diagnostic.helps.push_back(
        "choose one: `[1]`, `[last]`, `[where …]`; one object each: `… each { … }`; or `join(\", \", " +
        source + ")`");
    return failed(span);
  }
  const std::uint16_t slot = new_local();
  Checked item = local(slot, value.type.item(), span, true);
  const ir::Index before = item.expr;
  Checked converted = convert_item(item, destination, span);
  if (converted.expr == before) return value;
  const StaticType type = converted.type.as_list();
  return done(make(ir::Op::each, value.expr, converted.expr, slot), type, span, false, value.optional);
}

Checked Body::convert_item(Checked value, const Destination& destination, base::Span span) {
  switch (destination.kind) {
    case Destination::Kind::fhir:
      return to_fhir(std::move(value), destination, span);
    case Destination::Kind::v2:
      return to_v2(std::move(value), destination, span);
    case Destination::Kind::csv:
      return to_csv(std::move(value), destination, span);
    case Destination::Kind::v2_view: {
      const auto& wanted = destination.type.name;
      const bool fits = value.type.kind == StaticType::Kind::varies || value.type.name == wanted ||
                        destination.type.kind == StaticType::Kind::varies ||
                        hl7::widens(value.type.name, wanted).has_value() ||
                        (destination.explicit_cast && value.type.is_v2());
      if (!value.type.is_v2() || !fits) {
        report_no_conversion(value.type, destination, span);
        return failed(span);
      }
      value.type = destination.type;
      return value;
    }
    case Destination::Kind::any:
      break;
  }
  return value;
}

Checked Body::to_fhir(Checked value, const Destination& destination, base::Span span) {
  const StaticType& wanted = destination.type;
  if (wanted.is_error()) return value;
  if (wanted.kind == StaticType::Kind::choice) return to_choice(std::move(value), destination, span);
  if (wanted.is_primitive()) return to_primitive(std::move(value), wanted, destination, span);
  const std::string_view name = wanted.fhir->name();
  if (value.type.kind == StaticType::Kind::fhir &&
      (value.type.fhir == wanted.fhir || value.type.fhir->is_a(name) ||
       wanted.fhir->is_a(value.type.fhir->name()))) {
    return value;
  }
  if (value.type.kind == StaticType::Kind::choice) {
    const auto& variants = value.type.variants;
    if (std::find(variants.begin(), variants.end(), wanted.fhir) != variants.end()) {
      return done(make(ir::Op::of_type, value.expr, state_.builder.type(wanted)), wanted, span);
    }
  }
  if (const Declaration* map = find_conversion(value.type, name, destination, span)) {
    return by_datatype_map(std::move(value), *map, wanted, span);
  }
  report_no_conversion(value.type, destination, span);
  return failed(span);
}

Checked Body::to_primitive(Checked value, const StaticType& type, const Destination& destination,
                           base::Span span) {
  const std::string_view name = type.fhir->name();
  Checked result;
  const auto apply = [&] {
    const auto set = bound_set(value, destination);
    const auto conversion = set ? ir::Conversion::to_bound_code : conversion_to(name);
    result = done(make(ir::Op::convert, value.expr, static_cast<ir::Index>(conversion), set.value_or(ir::kNone)),
                  type, span, value.constant, value.optional);
  };
  if (value.type.is_primitive()) {
    if (!primitive_fits(value.type.fhir->name(), name, destination.explicit_cast)) {
      report_no_conversion(value.type, destination, span);
      return failed(span);
    }
    check_binding(value, destination, span);
    if (value.constant && !check_constant(value, name, span)) return failed(span);
    const bool plain = value.type.fhir == type.fhir || (value.constant && is_text_primitive(name));
    if (plain && !bound_set(value, destination)) {
      value.type = type;
      return value;
    }
    apply();
    return result;
  }
  if (value.type.is_v2()) {
    if (builtin(value.type, name, destination.explicit_cast)) {
      check_binding(value, destination, span);
      apply();
      return result;
    }
    if (const Declaration* map = find_conversion(value.type, name, destination, span)) {
      return by_datatype_map(std::move(value), *map, type, span);
    }
  }
  const bool some =
      value.type.kind == StaticType::Kind::choice && destination.explicit_cast &&
      std::any_of(value.type.variants.begin(), value.type.variants.end(), [&](const auto* variant) {
        return variant->is_primitive() && primitive_fits(variant->name(), name, true);
      });
  if (some || value.type.kind == StaticType::Kind::table_row) {
    apply();
    return result;
  }
  report_no_conversion(value.type, destination, span);
  return failed(span);
}

Checked Body::with_variant(Checked value, const fhir::ElementType& type, const Destination& destination) {
  const auto slot = state_.builder.fhir_member(destination.shape, *destination.element, &type);
  const ir::Index position = state_.builder.choice_position(destination.shape, slot);
  const base::Span span = state_.unit().expr_spans[value.expr];
  return done(make(ir::Op::variant, value.expr, position), fhir_type(&type.type()), span, value.constant,
              value.optional);
}

Checked Body::to_choice(Checked value, const Destination& destination, base::Span span) {
  const fhir::ElementDef& element = *destination.element;
  if (value.type.kind == StaticType::Kind::fhir) {
    std::vector<std::string_view> names = {value.type.fhir->name()};
    if (value.type.is_primitive()) {
      if (is_text_primitive(names[0])) names.insert(names.end(), {"string", "code"});
      if (is_date_primitive(names[0])) names.push_back("dateTime");
      if (is_number_primitive(names[0])) names.insert(names.end(), {"integer", "decimal"});
    }
    for (const auto name : names) {
      const fhir::ElementType* allowed = element.find_type(name);
      if (allowed == nullptr) continue;
      Destination single = destination;
      single.type = fhir_type(&allowed->type());
      return with_variant(to_fhir(std::move(value), single, span), *allowed, destination);
    }
  }
  if (value.type.is_v2()) {
    std::vector<const fhir::ElementType*> fitting;
    static constexpr std::array kOrder = {"dateTime", "date",   "time", "decimal",
                                          "integer",  "string", "code", "boolean"};
    for (const auto* name : kOrder) {
      const auto* allowed = element.find_type(name);
      if (allowed != nullptr && builtin(value.type, name, false)) {
        fitting.push_back(allowed);
        break;
      }
    }
    for (const auto& allowed : element.types()) {
      if (allowed.type().is_primitive() || !fitting.empty()) continue;
      if (find_conversion(value.type, allowed.name(), destination, span, true)) fitting.push_back(&allowed);
    }
    if (fitting.size() == 1) {
      Destination single = destination;
      single.type = fhir_type(&fitting.front()->type());
      return with_variant(to_fhir(std::move(value), single, span), *fitting.front(), destination);
    }
    if (fitting.size() > 1) {
      auto& diagnostic = state_.report(
          ErrorCode::E0214, span,
          "the type of `" + destination.name + "[x]` cannot be told from " + name_of(value.type));
      for (const auto* type : fitting) diagnostic.helps.push_back("`as " + std::string(type->name()) + "`");
      return failed(span);
    }
  }
  auto& diagnostic =
      state_.report(ErrorCode::E0207, span, destination.name + "[x] does not allow " + name_of(value.type));
  std::string allowed;
  for (const auto& type : element.types()) allowed += (allowed.empty() ? "" : " ") + std::string(type.name());
  diagnostic.notes.push_back("allowed: " + allowed);
  if (value.type.is_v2()) diagnostic.helps.push_back("say the type: `" + text_of(span) + " as …`");
  return failed(span);
}

Checked Body::to_v2(Checked value, const Destination& destination, base::Span span) {
  const std::string_view to = destination.type.name;
  const bool primitive =
      is_v2_primitive(target_version_, to) || to == "TS" || destination.type.kind == StaticType::Kind::varies;
  const auto scalar = [&] {
    const ir::Conversion conversion = to == "NM" || to == "SI"    ? ir::Conversion::to_v2_number
                                      : to == "DT"                ? ir::Conversion::to_v2_date
                                      : to == "DTM" || to == "TS" ? ir::Conversion::to_v2_date_time
                                      : to == "TM"                ? ir::Conversion::to_v2_time
                                                                  : ir::Conversion::to_v2_text;
    return done(make(ir::Op::convert, value.expr, static_cast<ir::Index>(conversion)), destination.type, span,
                value.constant, value.optional);
  };
  const auto takes = [&](std::string_view name) {
    if (to == "NM" || to == "SI") return is_number_primitive(name) || destination.explicit_cast;
    if (to == "DT" || to == "DTM" || to == "TS") return is_date_primitive(name);
    if (to == "TM") return name == "time" || name == "dateTime" || name == "instant";
    return true;
  };
  if (primitive && value.type.is_primitive() && takes(value.type.fhir->name())) return scalar();
  if (primitive && value.type.kind == StaticType::Kind::table_row) return scalar();
  if (primitive && value.type.kind == StaticType::Kind::choice) {
    const bool all = std::all_of(value.type.variants.begin(), value.type.variants.end(),
                                 [&](const auto* v) { return v->is_primitive() && takes(v->name()); });
    if (all) return scalar();
  }
  if (value.type.is_v2()) {
    const bool any_type = destination.type.kind == StaticType::Kind::varies;
    if (primitive && !any_type && is_v2_primitive(version_, value.type.name)) return scalar();
    if (primitive && !any_type && value.type.name == "TS") return scalar();
    const bool same = any_type || value.type.kind == StaticType::Kind::varies || value.type.name == to ||
                      hl7::widens(value.type.name, to).has_value() ||
                      hl7::widens(to, value.type.name).has_value();
    if (same && primitive && !any_type) return scalar();
    if (same || destination.explicit_cast) {
      return done(make(ir::Op::convert, value.expr, static_cast<ir::Index>(ir::Conversion::to_v2_copy)),
                  destination.type, span, value.constant, value.optional);
    }
    if (const Declaration* map = find_conversion(value.type, to, destination, span))
      return by_datatype_map(std::move(value), *map, destination.type, span);
    report_no_conversion(value.type, destination, span);
    return failed(span);
  }
  if (value.type.kind == StaticType::Kind::fhir) {
    if (const Declaration* map = find_conversion(value.type, to, destination, span)) {
      return by_datatype_map(std::move(value), *map, destination.type, span);
    }
  }
  report_no_conversion(value.type, destination, span);
  return failed(span);
}

Checked Body::to_csv(Checked value, const Destination& destination, base::Span span) {
  Destination column = destination;
  column.kind = Destination::Kind::fhir;
  column.element = nullptr;
  // Everything plain can be shown as text.
  if (destination.type.is_primitive("string")) column.explicit_cast = true;
  return to_primitive(std::move(value), destination.type, column, span);
}

Checked Body::by_datatype_map(Checked value, const Declaration& map, const StaticType& result,
                              base::Span span) {
  const ir::Index function = state_.datatype(map, span);
  if (function == ir::kNone) return failed(span);
  return done(make(ir::Op::call_datatype, function, value.expr), result, span, false, value.optional);
}

const Declaration* Body::find_conversion(const StaticType& from, std::string_view to,
                                         const Destination& destination, base::Span span, bool quiet) {
  std::string_view source = from.kind == StaticType::Kind::fhir ? from.fhir->name() : from.name;
  if (from.kind == StaticType::Kind::varies) source = to == "CodeableConcept" || to == "Coding" ? "CWE" : "";
  const bool to_v2_type = from.kind == StaticType::Kind::fhir && destination.kind == Destination::Kind::v2;
  struct Candidate {
    const Declaration* declaration;
    int rank;
  };
  std::vector<Candidate> candidates;
  for (const auto& conversion : state_.conversions(*file_)) {
    const auto& decl = *conversion.declaration->decl->get_if<ast::DatatypeDecl>();
    if ((decl.variant ? decl.variant->text : "") != destination.variant) continue;
    const bool exact_source = decl.source.text == source;
    const bool exact_target = decl.target.name.text == to;
    const bool source_fits = exact_source || (from.is_v2() && hl7::widens(source, decl.source.text));
    const bool target_fits = exact_target || (to_v2_type && hl7::widens(to, decl.target.name.text));
    if (!source_fits || !target_fits) continue;
    candidates.push_back(
        {conversion.declaration, conversion.distance * 2 + (exact_source && exact_target ? 0 : 1000)});
  }
  if (candidates.empty()) {
    if (!destination.variant.empty() && !quiet) {
      state_.report(ErrorCode::E0204, span,
                    "no datatype map " + std::string(source) + "@" + destination.variant + " -> " +
                        std::string(to) + " is in scope");
    }
    return nullptr;
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.rank < b.rank; });
  if (candidates.size() > 1 && candidates[0].rank == candidates[1].rank && !quiet) {
    std::vector<std::string> packages;
    for (const auto& c : candidates) {
      if (c.rank == candidates[0].rank) packages.emplace_back(c.declaration->package);
    }
    auto& diagnostic = state_.report(ErrorCode::E0301, span,
                                     "two datatype maps " + std::string(source) + " -> " + std::string(to) +
                                         " are in scope (" + listed(packages) + ")");
    diagnostic.helps.push_back("name one of them `" + std::string(source) +
                               "@Variant` and write `using Variant`");
  }
  return candidates.front().declaration;
}

std::vector<std::string> Body::sources_of(std::string_view to) {
  std::vector<std::string> sources;
  for (const auto& conversion : state_.conversions(*file_)) {
    const auto& decl = *conversion.declaration->decl->get_if<ast::DatatypeDecl>();
    if (decl.target.name.text != to) continue;
    const std::string name = decl.source.text + (decl.variant ? "@" + decl.variant->text : "");
    if (std::find(sources.begin(), sources.end(), name) == sources.end()) sources.push_back(name);
  }
  return sources;
}

void Body::report_no_conversion(const StaticType& from, const Destination& destination, base::Span span) {
  const std::string to = name_of(destination.type);
  if (destination.name.starts_with("ext(")) {
    const std::string extension = destination.name.substr(4, destination.name.size() - 5);
    state_.report(
        ErrorCode::E0210, span,
        "extension `" + extension + "` holds " + to + ", " + text_of(span) + " is " + name_of(from));
    return;
  }
  auto& diagnostic = state_.report(ErrorCode::E0204, span, name_of(from) + " cannot become " + to);
  if (!destination.name.empty()) diagnostic.label = "for `" + destination.name + "`";
  const auto sources = sources_of(to);
  if (!sources.empty()) {
    diagnostic.notes.push_back("datatype maps to " + to + " exist from " + listed(sources));
  } else if (destination.type.is_primitive() && from.is_primitive()) {
    diagnostic.helps.push_back("convert it: `" + text_of(span) + " as " + to + "`");
  } else if (from.kind == StaticType::Kind::v2 && !is_v2_primitive(version_, from.name)) {
    diagnostic.helps.push_back("a component: `" + text_of(span) + ".1`, or a datatype map: `datatype " +
                               name_of(from) + " -> " + to + " { … }`");
  } else if (from.is_v2() && destination.type.is_primitive()) {
    diagnostic.helps.push_back("say it: `" + text_of(span) + " as " + to + "`");
  } else {
    diagnostic.helps.push_back("declare one: `datatype " + name_of(from) + " -> " + to + " { … }`");
  }
}

Checked Body::reference(const ast::Ref& ref, const Destination& destination, base::Span span) {
  const Binding* binding = find_binding(ref.handle.text);
  const Binding* const later =
      binding == nullptr || binding->kind != Binding::Kind::handle ? find_announced(ref.handle.text) : nullptr;
  if (later != nullptr) binding = later;
  if (binding == nullptr || binding->kind != Binding::Kind::handle) {
    for (auto it = bindings_.rbegin(); it != bindings_.rend() && binding == nullptr; ++it) {
      if (it->name != ref.handle.text || it->kind != Binding::Kind::handle || it->alive) continue;
      auto& diagnostic =
          state_.report(ErrorCode::E0209, ref.handle.span,
                        "handle `" + ref.handle.text + "` is created in " +
                            (it->in_loop ? "a loop" : "a block") + " and is out of scope here");
      diagnostic.helps.push_back("collect inside the loop: `… += ref " + ref.handle.text + "`");
      return failed(span);
    }
    auto& diagnostic = state_.report(ErrorCode::E0305, ref.handle.span,
                                     "no resource `" + ref.handle.text + "` is created here");
    std::vector<std::string_view> names;
    for (const auto& other : bindings_) {
      if (other.kind == Binding::Kind::handle && other.alive) names.push_back(other.name);
    }
    suggest(diagnostic, ref.handle.text, names);
    return failed(span);
  }
  const ir::Index shape = state_.builder.fhir_shape(*fhir::find_type("Reference"));
  state_.builder.fhir_member(shape, *fhir::find_type("Reference")->element("reference"), nullptr);
  const ir::Expr symbol = later != nullptr ? make(ir::Op::forward_ref, binding->target.reg,
                                                  state_.builder.string(ref.handle.text))
                                           : make(ir::Op::ref, binding->target.reg);
  Checked made = done(symbol, fhir_type("Reference"), span, false, false);
  if (destination.element == nullptr) return made;
  const std::string_view type = binding->target.fhir->name();
  const fhir::ElementType* allowed = destination.element->find_type("Reference");
  if (allowed != nullptr && !allowed->allows_target(type)) {
    std::string targets;
    for (const auto& target : allowed->targets())
      targets += (targets.empty() ? "" : "|") + std::string(target.name());
    state_.report(ErrorCode::E0208, ref.handle.span,
                  "`" + destination.name + "` takes " + targets + "; `" + ref.handle.text +
                      (std::string_view("AEIOU").find(type.front()) == std::string_view::npos ? "` is a "
                                                                                              : "` is an ") +
                      std::string(type));
    return failed(span);
  }
  return convert(std::move(made), destination, span);
}

}  // namespace kiln::mappings::detail
