// Names, literals, operators, tests (hmap.md §3, §10).

#include <algorithm>
#include <cstdlib>

#include "mappings/detail/body.h"
#include "mappings/limits.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

Checked Body::check(const ast::Expr& expr) {
  const base::Span span = expr.span;
  if (const auto* e = expr.get_if<ast::Literal>()) return literal(*e);
  if (const auto* e = expr.get_if<ast::Interpolation>()) return interpolation(*e, span);
  if (const auto* e = expr.get_if<ast::V2Ref>()) return v2_ref(*e, span, false);
  if (const auto* e = expr.get_if<ast::Ident>()) return ident(*e, span);
  if (expr.get_if<ast::This>()) return this_value(span);
  if (const auto* e = expr.get_if<ast::Member>()) return member(*e, span);
  if (const auto* e = expr.get_if<ast::Component>()) return component(*e, span);
  if (const auto* e = expr.get_if<ast::ExtStep>()) return extension(*e, span);
  if (const auto* e = expr.get_if<ast::Index>()) return index(*e, span);
  if (const auto* e = expr.get_if<ast::Call>()) return call(*e, span);
  if (expr.get_if<ast::Omit>()) return done(make(ir::Op::omit), absent_type(), span, true);
  if (expr.get_if<ast::SkipValue>()) return done(make(ir::Op::skip), absent_type(), span);
  if (const auto* e = expr.get_if<ast::Ref>()) return reference(*e, {}, span);
  if (const auto* e = expr.get_if<ast::List>()) return list_literal(*e, span);
  if (const auto* e = expr.get_if<ast::Not>()) {
    return done(make(ir::Op::not_, condition(*e->operand)), fhir_type("boolean"), span, false, false);
  }
  if (const auto* e = expr.get_if<ast::Binary>()) {
    if (e->op == ast::BinaryOp::coalesce) return coalesce_value(*e, {}, span);
    return binary(*e, span);
  }
  if (const auto* e = expr.get_if<ast::Is>()) return is_test(*e, span);
  if (const auto* e = expr.get_if<ast::Of>()) return of_type(*e, span);
  return value(expr, {});
}

Checked Body::literal(const ast::Literal& literal) {
  using Kind = ast::Literal::Kind;
  if (literal.kind == Kind::string || literal.kind == Kind::text) {
    return constant_text(literal.text, "string", literal.span);
  }
  if (literal.kind == Kind::duration) {
    StaticType type;
    type.kind = StaticType::Kind::duration;
    const auto index =
        state_.builder.constant(ir::ConstantKind::duration_ms, literal.text, literal.milliseconds);
    return done(make(ir::Op::constant, index), type, literal.span, true, false);
  }
  const auto points = std::count(literal.text.begin(), literal.text.end(), '.');
  if (points > 1) return constant_text(literal.text, "string", literal.span);  // a version
  const bool integer = points == 0 && literal.text.size() <= 18;
  const auto kind = integer ? ir::ConstantKind::integer : ir::ConstantKind::decimal;
  const std::int64_t number = integer ? std::strtoll(literal.text.c_str(), nullptr, 10) : 0;
  const auto index = state_.builder.constant(kind, literal.text, number);
  return done(make(ir::Op::constant, index), fhir_type(integer ? "integer" : "decimal"), literal.span, true,
              false);
}

Checked Body::interpolation(const ast::Interpolation& text, base::Span span) {
  std::vector<ir::Index> parts;
  bool optional = false, constant = true;
  for (const auto& part : text.parts) {
    Checked piece =
        part.expr ? check_scalar(*part.expr, "a text") : constant_text(part.text, "string", part.span);
    if (part.expr && !piece.type.is_error()) {
      const bool plain = piece.type.is_v2() || piece.type.is_primitive() ||
                         piece.type.kind == StaticType::Kind::choice ||
                         piece.type.kind == StaticType::Kind::absent;
      if (!plain) {
        state_.report(
            ErrorCode::E0501, part.expr->span,
            "a text takes plain values, " + text_of(part.expr->span) + " is " + name_of(piece.type));
      }
    }
    optional = optional || piece.optional;
    constant = constant && piece.constant;
    parts.push_back(piece.expr);
  }
  const ir::Range range = state_.builder.args(parts);
  return done(make(ir::Op::interpolate, range.first, range.count), fhir_type("string"), span, constant,
              optional);
}

Checked Body::this_value(base::Span span) {
  if (this_.empty()) {
    state_.report(ErrorCode::E0305, span, "`.` has no meaning here",
                  "it stands for the value of a datatype map, `where` or `each`");
    return failed(span);
  }
  return local(this_.back().slot, this_.back().type, span);
}

/// A constant is written out wherever it is used: one of constants of constants may be large.
bool Body::constant_fits(const Declaration& declaration, std::size_t first_expr, base::Span span) {
  const ir::Unit& unit = state_.unit();
  const std::size_t parts = unit.exprs.size() - first_expr;
  std::size_t bytes = 0;
  for (std::size_t i = first_expr; i < unit.exprs.size(); ++i) {
    if (unit.exprs[i].op == ir::Op::constant) bytes += unit.text(unit.constants[unit.exprs[i].a].text).size();
  }
  if (state_.constant_depth == 0) state_.constant_parts += parts;
  const bool fits = parts <= limits::kConstantPartsMax && bytes <= limits::kConstantBytesMax;
  if (fits && state_.constant_parts <= limits::kConstantPartsInAllMax) return true;
  state_.too_large.insert(declaration.decl);
  const std::string name(declaration.name);
  auto& diagnostic = state_.report(
      ErrorCode::E0008, span,
      fits ? "the constants of all maps come to more than " + std::to_string(limits::kConstantPartsInAllMax) +
                 " parts when they are written out"
           : "constant " + name + " comes to " + std::to_string(parts) + " parts and " + std::to_string(bytes) +
                 " bytes when it is written out");
  if (!fits) {
    diagnostic.notes.push_back("a constant may have " + std::to_string(limits::kConstantPartsMax) + " parts and " +
                               std::to_string(limits::kConstantBytesMax) + " bytes");
  }
  diagnostic.helps.push_back("a constant made of others several times multiplies them: put the text into a table or a `let`");
  return false;
}

Checked Body::constant_decl(const Declaration& declaration, base::Span span) {
  const ConstantSetting* set = state_.library.setting(declaration);
  const ast::Expr& written = set ? *set->set->value : *declaration.decl->get_if<ast::ConstDecl>()->value;
  const auto* text = written.get_if<ast::Literal>();
  if (text != nullptr) {
    ast::Literal at = *text;
    at.span = span;
    return literal(at);
  }
  const auto& stack = state_.include_stack;
  if (std::find(stack.begin(), stack.end(), declaration.decl) != stack.end()) {
    state_.report(ErrorCode::E0502, span, "constant " + std::string(declaration.name) + " uses itself");
    return failed(span);
  }
  if (state_.too_large.contains(declaration.decl)) return failed(span);
  const std::size_t first = state_.unit().exprs.size(), reported = state_.too_large.size();
  state_.include_stack.push_back(declaration.decl);
  ++state_.constant_depth;
  Body body(state_, set ? *set->file : *declaration.file, declaration.qualified());
  Checked value = body.check(written);
  --state_.constant_depth;
  state_.include_stack.pop_back();
  if (state_.too_large.size() != reported) {  // one that it uses: said there
    state_.too_large.insert(declaration.decl);
    return failed(span);
  }
  if (!constant_fits(declaration, first, written.span)) return failed(span);
  if (!value.constant && !value.type.is_error()) {
    state_.report(ErrorCode::E0501, written.span, "a constant cannot depend on the message");
  }
  return value;
}

Checked Body::ident(const ast::Ident& ident, base::Span span) {
  if (const Binding* binding = find_binding(ident.name)) {
    // A Reference is handed over by who has one.
    if (binding->kind == Binding::Kind::value)
      return local(binding->slot, binding->type, span, !binding->type.is_complex("Reference"));
    state_.report(ErrorCode::E0501, span,
                  "`" + ident.name + "` is a created resource; it cannot be read here",
                  "write `ref " + ident.name + "` to refer to it");
    return failed(span);
  }
  if (ident.name == "true" || ident.name == "false") {
    const auto index = state_.builder.constant(ir::ConstantKind::boolean, ident.name, ident.name == "true");
    return done(make(ir::Op::constant, index), fhir_type("boolean"), span, true, false);
  }
  if (ident.name == "index") {
    if (!loop_indexes_.empty()) return local(loop_indexes_.back(), fhir_type("positiveInt"), span);
    state_.report(ErrorCode::E0305, span, "`index` has no meaning outside `for each`");
    return failed(span);
  }
  if (ident.name == "version") return done(make(ir::Op::version), fhir_type("string"), span, false, true);
  const auto found = state_.library.resolve(*file_, ident.name, DeclKind::constant);
  if (found.found != nullptr) return constant_decl(*found.found, span);
  if (found.found == nullptr && !found.ambiguous.empty()) {
    auto& diagnostic = state_.report(ErrorCode::E0302, span, "`" + ident.name + "` comes from two imports");
    diagnostic.helps.push_back("`use … as` or a qualified name");
    return failed(span);
  }
  auto& diagnostic = state_.report(ErrorCode::E0305, span, "unknown name `" + ident.name + "`");
  auto names = state_.library.names_in_scope(*file_, DeclKind::constant);
  for (std::size_t i = binding_floor_; i < bindings_.size(); ++i) names.push_back(bindings_[i].name);
  suggest(diagnostic, ident.name, names);
  return failed(span);
}

Checked Body::list_literal(const ast::List& list, base::Span span) {
  std::vector<ir::Index> items;
  StaticType type;
  bool constant = true;
  for (const auto& item : list.items) {
    Checked value = check_scalar(*item, "an item of the list");
    if (type.is_error()) type = value.type;
    constant = constant && value.constant;
    items.push_back(value.expr);
  }
  type.list = true;
  const ir::Range range = state_.builder.args(items);
  return done(make(ir::Op::list, range.first, range.count), type, span, constant, false);
}

ir::Index Body::condition(const ast::Expr& expr) {
  Checked value = check_scalar(expr, "a condition");
  const bool boolean = value.type.is_error() || value.type.is_primitive("boolean");
  if (!boolean) {
    auto& diagnostic =
        state_.report(ErrorCode::E0501, expr.span,
                      "a condition is expected, " + text_of(expr.span) + " is " + name_of(value.type));
    diagnostic.helps.push_back("compare it, or test it: `" + text_of(expr.span) + " is valued`");
  }
  return value.expr;
}

Checked Body::binary(const ast::Binary& binary, base::Span span) {
  using Op = ast::BinaryOp;
  switch (binary.op) {
    case Op::logical_and:
    case Op::logical_or: {
      const ir::Index left = condition(*binary.left);
      const std::size_t narrowed = narrowed_.size();
      narrow_by(*binary.left, binary.op == Op::logical_and);
      const ir::Index right = condition(*binary.right);
      narrowed_.resize(narrowed);
      const auto op = binary.op == Op::logical_and ? ir::Op::and_ : ir::Op::or_;
      return done(make(op, left, right), fhir_type("boolean"), span, false, false);
    }
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::concat:
      return arithmetic(binary, span);
    default:
      return compare(binary, span);
  }
}

namespace {

bool is_number(const StaticType& type) {
  if (type.kind == StaticType::Kind::v2) return type.name == "NM" || type.name == "SI";
  if (!type.is_primitive()) return false;
  const auto name = type.fhir->name();
  return name == "integer" || name == "decimal" || name == "positiveInt" || name == "unsignedInt";
}

bool is_textual(const StaticType& type) {
  return type.is_v2() || (type.is_primitive() && is_text_primitive(type.fhir->name()));
}

bool is_precision(const ast::Expr& expr) {
  const auto* call = expr.get_if<ast::Call>();
  const auto* name = call ? call->callee->get_if<ast::Ident>() : nullptr;
  return name != nullptr && name->name == "precision";
}

}  // namespace

Checked Body::arithmetic(const ast::Binary& binary, base::Span span) {
  Checked left = check_scalar(*binary.left, "an operand"), right = check_scalar(*binary.right, "an operand");
  if (left.type.is_error() || right.type.is_error()) return failed(span);
  using Op = ast::BinaryOp;
  const bool constant = left.constant && right.constant, optional = left.optional || right.optional;
  const bool texts =
      is_textual(left.type) && is_textual(right.type) && !(is_number(left.type) && is_number(right.type));
  if (binary.op == Op::concat || (binary.op == Op::add && texts)) {
    return done(make(ir::Op::concat, left.expr, right.expr), fhir_type("string"), span, constant, optional);
  }
  for (const auto& [side, expr] :
       {std::pair(&left, binary.left.get()), std::pair(&right, binary.right.get())}) {
    if (is_number(side->type)) continue;
    auto& diagnostic =
        state_.report(ErrorCode::E0501, expr->span,
                      "a number is expected, " + text_of(expr->span) + " is " + name_of(side->type));
    diagnostic.helps.push_back("`as decimal`, or `parseDecimal(…)`");
    return failed(span);
  }
  const auto op = binary.op == Op::add        ? ir::Op::add
                  : binary.op == Op::subtract ? ir::Op::subtract
                  : binary.op == Op::multiply ? ir::Op::multiply
                                              : ir::Op::divide;
  return done(make(op, left.expr, right.expr), fhir_type("decimal"), span, constant, optional);
}

Checked Body::compare(const ast::Binary& binary, base::Span span) {
  using Op = ast::BinaryOp;
  const StaticType boolean = fhir_type("boolean");
  if (binary.op == Op::matches) {
    Checked left = check_scalar(*binary.left, "matches");
    const auto* pattern = binary.right->get_if<ast::Regex>();
    const auto* text = binary.right->get_if<ast::Literal>();
    if (pattern == nullptr && text == nullptr) {
      state_.report(ErrorCode::E0501, binary.right->span, "`matches` takes a pattern: `re\"…\"`");
      return failed(span);
    }
    const ir::Index regex = state_.regex(pattern ? pattern->pattern : text->text, binary.right->span);
    return done(make(ir::Op::matches, left.expr, regex), boolean, span, false, false);
  }
  if (binary.op == Op::in) {
    Checked left = check_scalar(*binary.left, "`in`");
    Checked right = check(*binary.right);
    if (!right.type.list && !right.type.is_error()) {
      state_.report(ErrorCode::E0501, binary.right->span, "`in` takes a list: `[\"A\", \"B\"]`");
    }
    return done(make(ir::Op::in_list, left.expr, right.expr), boolean, span, left.constant && right.constant,
                false);
  }
  if (binary.op == Op::contains) {
    Checked left = check(*binary.left);
    Checked right = check_scalar(*binary.right, "`contains`");
    return done(make(ir::Op::contains, left.expr, right.expr), boolean, span, false, false);
  }
  Checked left = check_scalar(*binary.left, "a comparison"),
          right = check_scalar(*binary.right, "a comparison");
  if (left.type.is_error() || right.type.is_error()) return failed(span);
  for (const auto& [side, expr] :
       {std::pair(&left, binary.left.get()), std::pair(&right, binary.right.get())}) {
    if (!side->type.is_complex() && side->type.kind != StaticType::Kind::table_row) continue;
    auto& diagnostic = state_.report(ErrorCode::E0501, expr->span,
                                     name_of(side->type) + " cannot be compared", "not a plain value");
    diagnostic.helps.push_back("compare one of its elements");
    return failed(span);
  }
  ir::Op op = ir::Op::equal;
  switch (binary.op) {
    case Op::ne:
      op = ir::Op::not_equal;
      break;
    case Op::lt:
      op = ir::Op::less;
      break;
    case Op::le:
      op = ir::Op::less_equal;
      break;
    case Op::gt:
      op = ir::Op::greater;
      break;
    case Op::ge:
      op = ir::Op::greater_equal;
      break;
    default:
      break;
  }
  // A version is compared as text: `version >= 2.7`.
  for (auto* side : {&left, &right}) {
    const auto* other = side == &left ? binary.right.get() : binary.left.get();
    const auto* name = other->get_if<ast::Ident>();
    const auto* number = (side == &left ? binary.left : binary.right)->get_if<ast::Literal>();
    if (name == nullptr || name->name != "version" || number == nullptr) continue;
    *side = constant_text(number->text, "string", number->span);
  }
  ir::Expr expr = make(op, left.expr, right.expr);
  if (is_precision(*binary.left) || is_precision(*binary.right)) expr.flags |= ir::kFlagPrecision;
  return done(expr, boolean, span, left.constant && right.constant, false);
}

/// `system is valued` inside an object that has an element `system` and no such name: what was written so
/// far.
std::optional<Checked> Body::own_element_test(const ast::Is& is, base::Span span) {
  const auto* name = is.operand->get_if<ast::Ident>();
  if (name == nullptr || is.kind != ast::Is::Kind::valued || target_.kind != Target::Kind::fhir)
    return std::nullopt;
  if (find_binding(name->name) != nullptr) return std::nullopt;
  const fhir::ElementDef* element = target_.fhir->element(name->name);
  if (element == nullptr) return std::nullopt;
  ir::Step step;
  if (element->is_choice()) {
    step.kind = ir::StepKind::choice;
    const auto slot = state_.builder.fhir_member(target_.shape, *element, &element->types().front());
    step.choice = state_.builder.draft(target_.shape, slot).choice;
  } else {
    step.slot = state_.builder.fhir_member(target_.shape, *element, nullptr);
    step.shape = state_.builder.draft(target_.shape, step.slot).shape;
  }
  const ir::Range range = state_.builder.steps({step}, {target_.shape});
  Checked test = done(make(ir::Op::target_is_valued, target_.reg, range.first), fhir_type("boolean"), span,
                      false, false);
  if (!is.negated) return test;
  return done(make(ir::Op::not_, test.expr), fhir_type("boolean"), span, false, false);
}

Checked Body::is_test(const ast::Is& is, base::Span span) {
  if (auto own = own_element_test(is, span)) return *own;
  const StaticType boolean = fhir_type("boolean");
  const auto* path = is.operand->get_if<ast::V2Ref>();
  Checked value = path ? v2_ref(*path, is.operand->span, path->selector.kind != ast::Selector::Kind::none)
                       : check(*is.operand);
  if (value.type.is_error()) return failed(span);
  if (is.kind != ast::Is::Kind::type) {
    const bool valued = is.kind == ast::Is::Kind::valued;
    const ir::Op op = valued ? (is.negated ? ir::Op::is_not_valued : ir::Op::is_valued)
                             : (is.negated ? ir::Op::is_not_null : ir::Op::is_null);
    return done(make(op, value.expr), boolean, span, false, false);
  }
  value = to_scalar(value);
  const StaticType type = state_.type(*file_, is.type);
  if (type.is_error()) return failed(span);
  const auto& variants = value.type.variants;
  const bool choice = value.type.kind == StaticType::Kind::choice;
  const bool narrowed_to_one = value.type.kind == StaticType::Kind::fhir && value.type.element != nullptr;
  if (type.kind != StaticType::Kind::fhir || !(choice || narrowed_to_one)) {
    state_.report(ErrorCode::E0501, span,
                  "`is " + name_of(type) + "` tests a choice element, " + text_of(is.operand->span) + " is " +
                      name_of(value.type));
    return failed(span);
  }
  if (choice && std::find(variants.begin(), variants.end(), type.fhir) == variants.end()) {
    auto& diagnostic = state_.report(ErrorCode::E0207, is.type.span,
                                     text_of(is.operand->span) + " is never " + name_of(type));
    diagnostic.notes.push_back("allowed: " + name_of(value.type));
  }
  const auto id = state_.builder.type(type);
  return done(make(is.negated ? ir::Op::is_not_type : ir::Op::is_type, value.expr, id), boolean, span, false,
              false);
}

}  // namespace kiln::mappings::detail
