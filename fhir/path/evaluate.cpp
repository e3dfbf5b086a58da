#include <algorithm>

#include "fhir/path/detail/evaluator.h"
#include "fhir/path/detail/lexer.h"

namespace kiln::fhir::detail {

using base::ErrorCode;

bool Evaluator::fail(ErrorCode code, std::string text, std::uint32_t offset) {
  if (error_.text.empty()) error_ = path_error(code, std::move(text), program_.text, offset);
  return false;
}

bool Evaluator::over_budget() {
  return fail(ErrorCode::fhirpath_budget,
              steps_ > environment_.steps_max ? "too many steps" : "too much memory", offset_);
}

bool Evaluator::truth(const Collection& items, Tri& out) {
  if (items.empty()) {
    out = Tri::empty;
    return true;
  }
  if (items.size() > 1) return fail("several items where one truth value is needed");
  const PathItem item = value(items[0]);
  out = item.is(PathKind::boolean) ? tri(item.boolean()) : Tri::yes;
  return true;
}

bool Evaluator::eval(const PathExpr& expr, const Scope& scope, Collection& out) {
  offset_ = expr.offset;
  if (!step()) return false;
  switch (expr.op) {
    case PathOp::nothing:
      return true;
    case PathOp::literal:
      out.push(expr.literal);
      return true;
    case PathOp::failure:
      return fail(std::string(expr.text));
    case PathOp::self:
      if (scope.self) out.push(*scope.self);
      return true;
    case PathOp::index:
      if (scope.index >= 0) out.push(PathItem::of_integer(scope.index));
      return true;
    case PathOp::total:
      if (scope.total)
        for (const PathItem& item : *scope.total) out.push(item);
      return true;
    case PathOp::variable:
      return eval_variable(expr, out);
    case PathOp::head:
      return eval_head(expr, scope, out);
    case PathOp::member:
      return eval_member(expr, scope, out);
    case PathOp::call:
      return eval_call(expr, scope, out);
    case PathOp::indexer:
      return eval_indexer(expr, scope, out);
    case PathOp::negate:
    case PathOp::plus_sign:
      return eval_sign(expr, scope, out);
    case PathOp::is:
    case PathOp::as:
      return eval_type(expr, scope, out);
    case PathOp::and_:
    case PathOp::or_:
    case PathOp::xor_:
    case PathOp::implies:
      return eval_logic(expr, scope, out);
    default:
      return eval_binary(expr, scope, out);
  }
}

bool Evaluator::children(const PathItem& item, NameId name, std::string_view text, Collection& out) {
  if (item.is(PathKind::type)) {
    if (text == "namespace") out.push(PathItem::of_text(PathKind::string, item.type().space));
    if (text == "name") out.push(PathItem::of_text(PathKind::string, item.type().name));
    return true;
  }
  if (!item.is(PathKind::node)) return true;
  std::uint64_t seen = 0;
  for (const Node child : item.node()) {
    ++seen;
    const NameId id = child.name_id();
    if (name != kNoName ? id == name : id >= kLocalNames && child.name() == text)
      out.push(PathItem::of(child));
  }
  return step(seen);
}

bool Evaluator::eval_head(const PathExpr& expr, const Scope& scope, Collection& out) {
  if (!scope.self) return true;
  if (expr.type_def && scope.self->is(PathKind::node)) {
    const Node node = scope.self->node();
    for (const TypeDef* type = node.type(); type; type = type->base()) {
      if (type != expr.type_def) continue;
      out.push(*scope.self);
      return true;
    }
    // Untyped JSON says its type by itself.
    if (!node.type() && node["resourceType"].text() == expr.text) {
      out.push(*scope.self);
      return true;
    }
  }
  return children(*scope.self, expr.name, expr.text, out);
}

bool Evaluator::eval_member(const PathExpr& expr, const Scope& scope, Collection& out) {
  Collection left = make();
  if (!eval(*expr.left, scope, left)) return false;
  for (const PathItem& item : left)
    if (!children(item, expr.name, expr.text, out)) return false;
  if (out.size() > environment_.result_max)
    return fail(ErrorCode::fhirpath_budget, "too many items", expr.offset);
  return true;
}

Node Evaluator::resource_of(const PathItem* item) const {
  return item && item->is(PathKind::node) ? item->node().resource() : Node();
}

bool Evaluator::eval_variable(const PathExpr& expr, Collection& out) {
  const std::string_view name = expr.text;
  for (const auto& [known, items] : environment_.variables) {
    if (known != name) continue;
    for (const PathItem& item : items) out.push(item);
    return true;
  }
  if (name == "context") {
    if (context_) out.push(*context_);
    return true;
  }
  if (name == "resource" || name == "rootResource") {
    const bool root = name == "rootResource";
    Node node = root && environment_.root_resource ? environment_.root_resource
                : environment_.resource            ? environment_.resource
                                                   : resource_of(context_);
    if (root) {
      static const NameId contained = find_name("contained");
      while (node && node.name_id() == contained && node.parent()) node = node.parent().resource();
    }
    if (node) out.push(PathItem::of(node));
    return true;
  }
  const auto text = [&](std::string value) {
    out.push(text_item(PathKind::string, value));
    return true;
  };
  if (name == "ucum") return text("http://unitsofmeasure.org");
  if (name == "sct") return text("http://snomed.info/sct");
  if (name == "loinc") return text("http://loinc.org");
  if (name == "us-zip") return text("[0-9]{5}(-[0-9]{4}){0,1}");
  if (name.starts_with("vs-")) return text("http://hl7.org/fhir/ValueSet/" + std::string(name.substr(3)));
  if (name.starts_with("ext-"))
    return text("http://hl7.org/fhir/StructureDefinition/" + std::string(name.substr(4)));
  return fail("there is no variable %" + std::string(name));
}

bool Evaluator::eval_call(const PathExpr& expr, const Scope& scope, Collection& out) {
  Collection input = make();
  if (expr.left) {
    if (!eval(*expr.left, scope, input)) return false;
  } else if (scope.self) {
    input.push(*scope.self);
  }
  offset_ = expr.offset;
  if (!step(input.size())) return false;
  PathCall call{*this, expr, scope, input, out};
  return expr.function->run(call);
}

bool Evaluator::eval_indexer(const PathExpr& expr, const Scope& scope, Collection& out) {
  Collection left = make(), index = make();
  if (!eval(*expr.left, scope, left) || !eval(*expr.right, scope, index)) return false;
  if (index.empty()) return true;
  offset_ = expr.offset;
  const PathItem at = value(index[0]);
  if (index.size() != 1 || !at.is(PathKind::integer)) return fail("the index is not one Integer");
  if (at.integer() >= 0 && static_cast<std::uint64_t>(at.integer()) < left.size())
    out.push(left[static_cast<std::size_t>(at.integer())]);
  return true;
}

bool Evaluator::eval_sign(const PathExpr& expr, const Scope& scope, Collection& out) {
  Collection operand = make();
  if (!eval(*expr.left, scope, operand)) return false;
  if (operand.empty()) return true;
  offset_ = expr.offset;
  if (operand.size() > 1) return fail("a sign stands before several items");
  const PathItem item = value(operand[0]);
  const bool minus = expr.op == PathOp::negate;
  const auto negated = [&](std::string_view text) {
    if (text.starts_with('-')) return std::string(text.substr(1));
    const bool zero = text.find_first_of("123456789") == std::string_view::npos;
    return (zero ? "" : "-") + std::string(text);
  };
  switch (item.kind()) {
    case PathKind::integer:
      out.push(minus ? PathItem::of_integer(-item.integer()) : item);
      return true;
    case PathKind::decimal:
      out.push(minus ? text_item(PathKind::decimal, negated(item.text())) : item);
      return true;
    case PathKind::quantity:
      out.push(minus ? quantity_item(negated(item.quantity().value), item.quantity().unit,
                                     item.quantity().calendar)
                     : item);
      return true;
    default:
      return fail("a sign stands before a value that is no number");
  }
}

bool Evaluator::eval_type(const PathExpr& expr, const Scope& scope, Collection& out) {
  Collection left = make();
  if (!eval(*expr.left, scope, left)) return false;
  offset_ = expr.offset;
  if (!expr.type.known() && expr.type.space.empty())
    return fail("there is no type " + std::string(expr.type.name));
  if (left.empty()) return true;
  if (expr.op == PathOp::is) {
    if (left.size() > 1) return fail("`is` is asked of several items");
    out.push(PathItem::of_boolean(has_type(left[0], expr.type, true)));
    return true;
  }
  if (left.size() > 1 && !program_.as_filters) return fail("`as` is asked of several items");
  const bool subtypes = expr.type.fhir && !expr.type.fhir->is_primitive();
  for (const PathItem& item : left)
    if (has_type(item, expr.type, subtypes)) out.push(item);
  return true;
}

bool Evaluator::eval_logic(const PathExpr& expr, const Scope& scope, Collection& out) {
  Tri left, right;
  {
    Collection items = make();
    if (!eval(*expr.left, scope, items)) return false;
    offset_ = expr.offset;
    if (!truth(items, left)) return false;
  }
  // What the right side says cannot matter any more.
  if ((expr.op == PathOp::and_ && left == Tri::no) || (expr.op == PathOp::or_ && left == Tri::yes) ||
      (expr.op == PathOp::implies && left == Tri::no)) {
    out.push(PathItem::of_boolean(expr.op != PathOp::and_));
    return true;
  }
  {
    Collection items = make();
    if (!eval(*expr.right, scope, items)) return false;
    offset_ = expr.offset;
    if (!truth(items, right)) return false;
  }
  Tri result = Tri::empty;
  switch (expr.op) {
    case PathOp::and_:
      result = right == Tri::no ? Tri::no : left == Tri::yes ? right : Tri::empty;
      break;
    case PathOp::or_:
      result = right == Tri::yes ? Tri::yes : left == Tri::no ? right : Tri::empty;
      break;
    case PathOp::xor_:
      result = left == Tri::empty || right == Tri::empty ? Tri::empty : tri(left != right);
      break;
    default:  // implies, left is yes or empty
      result = right == Tri::yes ? Tri::yes : left == Tri::yes ? right : Tri::empty;
  }
  if (result != Tri::empty) out.push(PathItem::of_boolean(result == Tri::yes));
  return true;
}

bool Evaluator::eval_compare(PathOp op, const Collection& left, const Collection& right, Collection& out) {
  if (op == PathOp::equivalent || op == PathOp::not_equivalent) {
    bool same = false;
    if (!equivalent(left, right, same)) return false;
    out.push(PathItem::of_boolean(same == (op == PathOp::equivalent)));
    return true;
  }
  if (op == PathOp::equal || op == PathOp::not_equal) {
    Tri same = Tri::empty;
    if (!equal(left, right, same)) return false;
    if (same != Tri::empty) out.push(PathItem::of_boolean((same == Tri::yes) == (op == PathOp::equal)));
    return true;
  }
  if (left.empty() || right.empty()) return true;
  if (left.size() > 1 || right.size() > 1) return fail("several items are compared by their order");
  std::optional<int> order_found;
  if (!order(value(left[0]), value(right[0]), order_found)) return false;
  if (!order_found) return true;
  const int found = *order_found;
  out.push(PathItem::of_boolean(op == PathOp::less         ? found < 0
                                : op == PathOp::less_equal ? found <= 0
                                : op == PathOp::greater    ? found > 0
                                                           : found >= 0));
  return true;
}

bool Evaluator::eval_arithmetic(PathOp op, const Collection& left, const Collection& right, Collection& out) {
  if (left.size() > 1 || right.size() > 1) return fail("an operator stands between several items");
  if (op == PathOp::concatenate) {
    const PathItem nothing = PathItem::of_text(PathKind::string, "");
    const PathItem a = left.empty() ? nothing : value(left[0]), b = right.empty() ? nothing : value(right[0]);
    if (!a.is(PathKind::string) || !b.is(PathKind::string))
      return fail("& stands between values that are no strings");
    if (!may_make(a.text().size() + b.text().size())) return false;
    out.push(text_item(PathKind::string, std::string(a.text()).append(b.text())));
    return true;
  }
  if (left.empty() || right.empty()) return true;
  return arithmetic(op, value(left[0]), value(right[0]), out);
}

bool Evaluator::eval_binary(const PathExpr& expr, const Scope& scope, Collection& out) {
  Collection left = make(), right = make();
  if (!eval(*expr.left, scope, left) || !eval(*expr.right, scope, right)) return false;
  offset_ = expr.offset;
  switch (expr.op) {
    case PathOp::unite:
      return unite(left, right, out);
    case PathOp::in:
      return contains(right, left, out);
    case PathOp::contains:
      return contains(left, right, out);
    case PathOp::multiply:
    case PathOp::divide:
    case PathOp::div:
    case PathOp::mod:
    case PathOp::add:
    case PathOp::subtract:
    case PathOp::concatenate:
      return eval_arithmetic(expr.op, left, right, out);
    default:
      return eval_compare(expr.op, left, right, out);
  }
}

bool Evaluator::contains(const Collection& all, const Collection& one, Collection& out) {
  if (one.empty()) return true;
  if (one.size() > 1) return fail("several items are looked for");
  bool found = false;
  for (const PathItem& item : all) {
    Tri same = Tri::empty;
    if (!equal(item, one[0], same)) return false;
    found = found || same == Tri::yes;
  }
  out.push(PathItem::of_boolean(found));
  return true;
}

}  // namespace kiln::fhir::detail
