// Calls of fns, of built-in functions, and of their FHIRPath aliases (hmap.md §12).

#include <algorithm>

#include "mappings/detail/body.h"
#include "mappings/function.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

/// What a parameter of a built-in takes; the run time converts between plain values.
bool fits(FunctionType wanted, const StaticType& type) {
  using Kind = StaticType::Kind;
  if (type.is_error() || type.kind == Kind::absent || type.kind == Kind::choice || type.kind == Kind::varies)
    return true;
  const bool v2_flat = type.kind == Kind::v2;
  const auto name = type.kind == Kind::v2 ? type.name
                    : type.is_primitive() ? type.fhir->name()
                                          : std::string_view();
  const bool date_like = name == "DT" || name == "DTM" || name == "TS" || name == "date" ||
                         name == "dateTime" || name == "instant";
  const bool number_like = name == "NM" || name == "SI" || name == "integer" || name == "decimal" ||
                           name == "positiveInt" || name == "unsignedInt";
  switch (wanted) {
    case FunctionType::any:
    case FunctionType::same:
    case FunctionType::item:
    case FunctionType::list:
      return true;
    case FunctionType::string:
    case FunctionType::regex:
    case FunctionType::uri:
      return v2_flat || type.is_primitive();
    case FunctionType::integer:
    case FunctionType::decimal:
      return number_like || name == "ST" || name == "ID" || name == "IS";
    case FunctionType::boolean:
      return name == "boolean" || name == "ID";
    case FunctionType::date:
      return date_like;
    case FunctionType::time:
      return name == "TM" || name == "time" || date_like;
    case FunctionType::quantity:
      return type.is_complex("Quantity") || (type.is_complex() && type.fhir->is_a("Quantity"));
  }
  return true;
}

StaticType result_type(FunctionType type, std::string_view function, const std::vector<Checked>& args) {
  switch (type) {
    case FunctionType::integer:
      return fhir_type("integer");
    case FunctionType::decimal:
      return fhir_type("decimal");
    case FunctionType::boolean:
      return fhir_type("boolean");
    case FunctionType::date:
      return fhir_type(function == "date" ? "date" : "dateTime");
    case FunctionType::time:
      return fhir_type("time");
    case FunctionType::uri:
      return fhir_type("uri");
    case FunctionType::quantity:
      return fhir_type("Quantity");
    case FunctionType::list:
      return args.empty() || !args.front().type.list ? fhir_type("string").as_list() : args.front().type;
    case FunctionType::same:
    case FunctionType::item:
    case FunctionType::any:
      if (args.empty()) return fhir_type("string");
      return type == FunctionType::item ? args.front().type.item() : args.front().type;
    default:
      return fhir_type("string");
  }
}

}  // namespace

std::vector<const ast::Expr*> Body::ordered_args(const std::vector<ast::Param>& params,
                                                 const std::vector<ast::Arg>& args, std::string_view name,
                                                 base::Span span) {
  std::vector<const ast::Expr*> ordered(params.size(), nullptr);
  std::size_t next = 0;
  for (const auto& arg : args) {
    std::size_t at = next++;
    if (arg.name) {
      const auto found = std::find_if(params.begin(), params.end(),
                                      [&](const auto& p) { return p.name.text == arg.name->text; });
      at = static_cast<std::size_t>(found - params.begin());
      if (found == params.end()) {
        auto& diagnostic = state_.report(ErrorCode::E0501, arg.name->span,
                                         std::string(name) + " has no parameter `" + arg.name->text + "`");
        std::vector<std::string_view> names;
        for (const auto& param : params) names.push_back(param.name.text);
        suggest(diagnostic, arg.name->text, names);
        continue;
      }
    }
    if (at >= params.size()) {
      state_.report(ErrorCode::E0501, arg.value->span,
                    std::string(name) + " takes " + std::to_string(params.size()) + " arguments");
      break;
    }
    ordered[at] = arg.value.get();
  }
  for (std::size_t i = 0; i < params.size(); ++i) {
    if (ordered[i] != nullptr || params[i].type.arity == ast::Type::Arity::optional) continue;
    if (params[i].type.model == ast::Type::Model::hl7 && params[i].type.name.text == params[i].name.text)
      continue;
    state_.report(ErrorCode::E0501, span, std::string(name) + " needs `" + params[i].name.text + "`");
  }
  return ordered;
}

Checked Body::call_fn(const Declaration& declaration, const ast::Call& call, base::Span span) {
  const auto& decl = *declaration.decl->get_if<ast::FnDecl>();
  const auto ordered = ordered_args(decl.params, call.args, declaration.name, span);
  std::vector<ir::Index> args;
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    if (ordered[i] == nullptr) {
      args.push_back(failed(span).expr);
      continue;
    }
    Destination destination =
        destination_of(state_.type(*declaration.file, decl.params[i].type),
                       std::string(declaration.name) + "(" + decl.params[i].name.text + ")");
    args.push_back(value(*ordered[i], destination).expr);
  }
  const ir::Index function = state_.fn(declaration, span);
  if (function == ir::kNone) return failed(span);
  const StaticType type = state_.fn_result(declaration);
  const ir::Range range = state_.builder.args(args);
  const bool optional = decl.result.arity == ast::Type::Arity::optional;
  return done(make(ir::Op::call_fn, function, range.first, range.count), type, span, false, optional);
}

Checked Body::pattern(const ast::Regex& regex, base::Span span) {
  const ir::Index compiled = state_.regex(regex.pattern, span);
  const auto index = state_.builder.constant(ir::ConstantKind::pattern, regex.pattern, compiled);
  return done(make(ir::Op::constant, index), fhir_type("string"), span, true, false);
}

Checked Body::call_builtin(std::string_view name, const std::vector<const ast::Expr*>& exprs, base::Span span,
                           std::optional<Checked> self) {
  const FunctionSpec* spec = find_function(name);
  const auto& all = all_functions();
  const auto position = static_cast<ir::Index>(std::find(all.begin(), all.end(), spec) - all.begin());
  std::vector<Checked> values;
  std::vector<ir::Index> args;
  if (self) {
    values.push_back(*self);
    args.push_back(self->expr);
  }
  bool optional = false, constant = true;
  for (const auto* expr : exprs) {
    const std::size_t at = values.size();
    if (at >= spec->parameters.size() && !spec->variadic) {
      state_.report(
          ErrorCode::E0501, expr->span,
          std::string(name) + " takes at most " + std::to_string(spec->parameters.size()) + " arguments");
      return failed(span);
    }
    const auto& parameter = spec->parameters[std::min(at, spec->parameters.size() - 1)];
    const bool list = parameter.type == FunctionType::list;
    const auto* path = expr->get_if<ast::V2Ref>();
    const auto* regex = parameter.type == FunctionType::regex ? expr->get_if<ast::Regex>() : nullptr;
    Checked value = regex          ? pattern(*regex, expr->span)
                    : path && list ? v2_ref(*path, expr->span, true)
                                   : check(*expr);
    // The variadic tail of join takes lists and single values alike.
    if (!list && !(spec->variadic && at + 1 >= spec->parameters.size())) {
      value = to_scalar(value);
      if (value.type.list && !value.type.is_error()) scalar_error(value, expr->span, parameter.name);
    }
    const bool flat = value.type.kind != StaticType::Kind::v2 || is_v2_primitive(version_, value.type.name) ||
                      value.type.name == "TS" || list || parameter.type == FunctionType::any;
    // A date or number written as text in the map is read when it is used.
    const bool written = value.constant && value.type.is_primitive("string");
    if ((!fits(parameter.type, value.type) && !written) || !flat) {
      auto& diagnostic =
          state_.report(ErrorCode::E0501, expr->span,
                        std::string(name) + " expects " + std::string(name_of(parameter.type)) + ", got " +
                            name_of(value.type));
      if (!flat) diagnostic.helps.push_back("a component: `" + text_of(expr->span) + ".1`");
      return failed(span);
    }
    optional = optional || value.optional;
    constant = constant && value.constant;
    values.push_back(value);
    args.push_back(value.expr);
  }
  for (std::size_t i = values.size(); i < spec->parameters.size(); ++i) {
    if (spec->parameters[i].optional || (spec->variadic && i + 1 == spec->parameters.size())) continue;
    state_.report(ErrorCode::E0501, span,
                  std::string(name) + " needs `" + std::string(spec->parameters[i].name) + "`");
    return failed(span);
  }
  const StaticType type = result_type(spec->result, name, values);
  if (type.is_complex("Quantity")) {
    const ir::Index shape = state_.builder.fhir_shape(*type.fhir);
    for (const auto* element : {"value", "comparator", "unit", "system", "code"}) {
      state_.builder.fhir_member(shape, *type.fhir->element(element), nullptr);
    }
  }
  const ir::Range range = state_.builder.args(args);
  return done(make(ir::Op::call_builtin, position, range.first, range.count), type, span,
              constant && !args.empty() && !type.is_complex(), optional && !spec->takes_absent);
}

Checked Body::call(const ast::Call& call, base::Span span) {
  std::vector<const ast::Expr*> args;
  for (const auto& arg : call.args) args.push_back(arg.value.get());
  const auto name = as_qname(*call.callee);
  if (name) {
    const auto fn = state_.library.resolve(*file_, *name, DeclKind::fn);
    if (fn.found != nullptr && fn.parts == name->parts.size()) return call_fn(*fn.found, call, span);
    const auto lookup = state_.library.resolve(*file_, *name, DeclKind::lookup);
    if (lookup.found != nullptr) return call_lookup(*lookup.found, call, span);
  }
  if (const auto* ident = call.callee->get_if<ast::Ident>()) {
    if (ident->name == "raw") {
      if (args.size() != 1) {
        state_.report(ErrorCode::E0501, span, "raw takes one path: `raw(OBX-5)`");
        return failed(span);
      }
      Checked path = check_scalar(*args.front(), "raw");
      if (!path.type.is_error() && !path.type.is_v2()) {
        state_.report(ErrorCode::E0501, args.front()->span, "raw reads HL7 text, got " + name_of(path.type));
        return failed(span);
      }
      return done(make(ir::Op::raw, path.expr), fhir_type("string"), span);
    }
    if (ident->name == "matches" && args.size() == 2 && args[1]->get_if<ast::Regex>() != nullptr) {
      Checked text = check_scalar(*args[0], "matches");
      const ir::Index regex = state_.regex(args[1]->get_if<ast::Regex>()->pattern, args[1]->span);
      return done(make(ir::Op::matches, text.expr, regex), fhir_type("boolean"), span, false, false);
    }
    if (ident->name == "resolve" && args.size() == 1) {
      Checked reference = check(*args.front());
      if (!reference.type.is_error() && !reference.type.is_complex("Reference")) {
        state_.report(ErrorCode::E0501, args.front()->span,
                      "resolve follows a Reference, got " + name_of(reference.type));
        return failed(span);
      }
      StaticType type = fhir_type("Resource");
      type.list = reference.type.list;
      return done(make(ir::Op::resolve, reference.expr), type, span);
    }
    if (find_function(ident->name) != nullptr) return call_builtin(ident->name, args, span);
    auto& diagnostic =
        state_.report(ErrorCode::E0305, call.callee->span, "unknown function `" + ident->name + "`");
    auto names = state_.library.names_in_scope(*file_, DeclKind::fn);
    for (const auto* spec : all_functions()) names.push_back(spec->name);
    names.insert(names.end(), {"raw", "resolve"});
    suggest(diagnostic, ident->name, names);
    return failed(span);
  }
  if (const auto* member = call.callee->get_if<ast::Member>()) {
    const std::string_view alias = member->name.text;
    if (alias == "ofType" && args.size() == 1) {
      if (const auto* type = args.front()->get_if<ast::Ident>()) {
        Checked base = check(*member->base);
        StaticType wanted = fhir_type(type->name);
        if (wanted.is_error() || base.type.is_error()) return failed(span);
        wanted.list = base.type.list;
        return done(make(ir::Op::of_type, base.expr, state_.builder.type(wanted)), wanted, span);
      }
    }
    if (find_function(alias) != nullptr && !find_function(alias)->parameters.empty()) {
      const auto* path = member->base->get_if<ast::V2Ref>();
      const bool list = find_function(alias)->parameters.front().type == FunctionType::list;
      Checked self = path && list ? v2_ref(*path, member->base->span, true) : check(*member->base);
      return call_builtin(alias, args, span, std::move(self));
    }
    state_.report(ErrorCode::E0305, member->name.span, "unknown function `" + member->name.text + "`");
    return failed(span);
  }
  state_.report(ErrorCode::E0501, call.callee->span, "this cannot be called");
  return failed(span);
}

}  // namespace kiln::mappings::detail
