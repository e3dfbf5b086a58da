// What holds where: narrowing, conditions that exclude each other, double writes, and the guards that let the
// run time skip a rule whose fields are all empty.

#include <algorithm>
#include <map>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

void Body::narrow_by(const ast::Expr& condition, bool holds) {
  if (const auto* both = condition.get_if<ast::Binary>()) {
    const bool passes = (both->op == ast::BinaryOp::logical_and && holds) ||
                        (both->op == ast::BinaryOp::logical_or && !holds);
    if (!passes) return;
    narrow_by(*both->left, holds);
    narrow_by(*both->right, holds);
    return;
  }
  if (const auto* negated = condition.get_if<ast::Not>()) return narrow_by(*negated->operand, !holds);
  const auto* is = condition.get_if<ast::Is>();
  if (is == nullptr || is->kind != ast::Is::Kind::type) return;
  const StaticType type = fhir_type(is->type.name.text);
  if (type.is_error()) return;
  const std::string key = text_of(is->operand->span);
  if (holds != is->negated) {
    narrowed_.push_back({key, type, {}});
  } else {
    narrowed_.push_back({key, {}, {type.fhir}});
  }
}

void Body::collect_atoms(const ast::Expr& condition, bool holds,
                         std::vector<std::pair<std::string, bool>>& atoms) const {
  if (const auto* both = condition.get_if<ast::Binary>()) {
    const bool passes = (both->op == ast::BinaryOp::logical_and && holds) ||
                        (both->op == ast::BinaryOp::logical_or && !holds);
    if (passes) {
      collect_atoms(*both->left, holds, atoms);
      collect_atoms(*both->right, holds, atoms);
      return;
    }
    if (both->op == ast::BinaryOp::eq || both->op == ast::BinaryOp::ne) {
      const std::string text = text_of(both->left->span) + " == " + text_of(both->right->span);
      atoms.push_back({text, holds == (both->op == ast::BinaryOp::eq)});
      return;
    }
  }
  if (const auto* negated = condition.get_if<ast::Not>())
    return collect_atoms(*negated->operand, !holds, atoms);
  if (const auto* is = condition.get_if<ast::Is>()) {
    const std::string operand = text_of(is->operand->span);
    const std::string test = is->kind == ast::Is::Kind::valued ? "valued"
                             : is->kind == ast::Is::Kind::null ? "null"
                                                               : is->type.name.text;
    atoms.push_back({operand + " is " + test, holds != is->negated});
    return;
  }
  atoms.push_back({text_of(condition.span), holds});
}

bool Body::exclusive(const WriteNote& a, const WriteNote& b) {
  const auto key = [](const std::string& atom, std::string_view word) {
    const auto at = atom.rfind(word);
    return at == std::string::npos ? std::string() : atom.substr(0, at + word.size());
  };
  for (const auto& [left, left_holds] : a.conditions) {
    for (const auto& [right, right_holds] : b.conditions) {
      if (left == right && left_holds != right_holds) return true;
      if (left == right || !left_holds || !right_holds) continue;
      for (const std::string_view word : {" == ", " is "}) {
        const std::string operand = key(left, word);
        const bool valued = left.ends_with(" valued") || right.ends_with(" valued");
        if (!operand.empty() && !valued && operand == key(right, word)) return true;
      }
    }
  }
  return false;
}

bool Body::known_valued(std::string_view text) const {
  for (const auto& [atom, holds] : conditions_) {
    if (!holds || !atom.starts_with(text)) continue;
    const std::string_view rest = std::string_view(atom).substr(text.size());
    if (rest.ends_with(" is valued") && (rest.front() == ' ' || rest.front() == '.' || rest.front() == '['))
      return true;
  }
  return false;
}

void Body::check_rules(std::size_t first, std::uint16_t reg, const fhir::TypeDef* type, base::Span span) {
  (void)span;
  std::map<std::string, std::vector<const WriteNote*>> by_path;
  for (std::size_t i = first; i < notes_.size(); ++i) {
    if (notes_[i].reg == reg) by_path[notes_[i].path].push_back(&notes_[i]);
  }
  for (const auto& [path, notes] : by_path) {
    for (std::size_t i = 0; i < notes.size(); ++i) {
      if (!notes[i]->set) continue;
      for (std::size_t j = i + 1; j < notes.size(); ++j) {
        if (!notes[i]->set || !notes[j]->set || exclusive(*notes[i], *notes[j])) continue;
        const std::string line =
            std::to_string(state_.library.sources().position(notes[i]->span.file, notes[i]->span.begin).line);
        const std::string owner = type ? std::string(type->name()) + "." : "";
        const bool variants = !notes[i]->variant.empty() && !notes[j]->variant.empty() &&
                              notes[i]->variant != notes[j]->variant;
        if (variants) {
          auto& diagnostic =
              state_.report(ErrorCode::E0206, notes[j]->span,
                            notes[i]->variant + " and " + notes[j]->variant + " may both be written");
          diagnostic.notes.push_back("the first is written in line " + line);
          diagnostic.helps.push_back("`" + path + " ?= …` writes only when the first did not");
        } else {
          auto& diagnostic = state_.report(ErrorCode::E0205, notes[j]->span,
                                           owner + path + " is set twice and both rules can apply");
          diagnostic.notes.push_back("first set in line " + line);
          diagnostic.helps.push_back("`override`, `?=` or a condition that excludes the other");
        }
      }
    }
    if (type == nullptr || !type->is_resource() || part_ == reg) continue;
    const fhir::ElementDef* element = type->element(path);
    if (element == nullptr || !element->is_required()) continue;
    const bool maybe_none =
        std::all_of(notes.begin(), notes.end(), [](const auto* note) { return note->optional; });
    if (!maybe_none) continue;
    auto& diagnostic =
        state_.report(ErrorCode::W0211, notes.front()->span,
                      std::string(type->name()) + "." + path + " is required but " +
                          (notes.size() == 1 ? "this rule" : "these rules") + " may write nothing");
    diagnostic.severity = base::Severity::warning;
    diagnostic.helps.push_back(
        "add `?? \"unknown\"` or `else`, or say when it is there: `require … is valued`");
  }
}

/// W0211 for elements that the type requires and no rule of the object writes.
void Body::check_missing(std::size_t first, std::uint16_t reg, const fhir::TypeDef& type, base::Span span) {
  for (const fhir::ElementDef& element : type.elements()) {
    if (!element.is_required() || element.is_xml_attribute()) continue;
    const std::string_view name = element.name();
    if (type.name() == "Bundle" && name == "type") continue;  // the map's own Bundle: its declaration says it
    const bool written = std::any_of(
        notes_.begin() + static_cast<std::ptrdiff_t>(first), notes_.end(), [&](const WriteNote& note) {
          return note.reg == reg && note.path.starts_with(name) &&
                 (note.path.size() == name.size() || note.path[name.size()] == '.' ||
                  note.path[name.size()] == '[');
        });
    if (written) continue;
    auto& diagnostic = state_.report(
        ErrorCode::W0211, span,
        std::string(type.name()) + "." + std::string(name) + " is required, and no rule writes it");
    diagnostic.severity = base::Severity::warning;
    diagnostic.helps.push_back("`" + std::string(name) + (element.is_list() ? " += …`" : " = …`"));
    return;  // one finding a place: the same code is kept once there
  }
}

void Body::mark_dynamic(std::size_t first, std::uint16_t reg) {
  std::set<std::string> dynamic;
  for (std::size_t i = first; i < notes_.size(); ++i) {
    if (notes_[i].reg != reg || notes_[i].constant) continue;
    dynamic.insert(notes_[i].prefixes.begin(), notes_[i].prefixes.end());
  }
  for (std::size_t i = first; i < notes_.size(); ++i) {
    if (notes_[i].reg != reg) continue;
    for (std::size_t s = 0; s < notes_[i].step_ids.size() && s < notes_[i].prefixes.size(); ++s) {
      state_.unit().steps[notes_[i].step_ids[s]].dynamic = dynamic.contains(notes_[i].prefixes[s]);
    }
  }
}

ir::Range Body::object_block(const ast::Block& block, std::uint16_t reg, bool& all_constant,
                             const std::string* handle, const ast::Block* constants) {
  const std::size_t first = notes_.size();
  const ir::Range range = this->block(block, handle, constants);
  check_rules(first, reg, target_.fhir, block.span);
  mark_dynamic(first, reg);
  if (target_.literal && target_.fhir != nullptr && !target_.fhir->is_resource())
    check_missing(first, reg, *target_.fhir, {block.span.file, block.span.begin, block.span.begin + 1});
  all_constant = std::all_of(block.statements.begin(), block.statements.end(),
                             [](const auto& stmt) { return stmt.template get_if<ast::Assign>() != nullptr; });
  for (std::size_t i = first; i < notes_.size(); ++i) {
    if (notes_[i].reg == reg && !notes_[i].constant) all_constant = false;
  }
  return range;
}

void Body::check_all_rules() {
  std::map<std::uint16_t, const fhir::TypeDef*> handles;
  for (const auto& binding : bindings_) {
    if (binding.kind != Binding::Kind::handle || binding.target.fhir == nullptr) continue;
    const bool first = handles.emplace(binding.target.reg, binding.target.fhir).second;
    if (first) check_missing(0, binding.target.reg, *binding.target.fhir, binding.span);
  }
  for (const auto& [reg, type] : handles) {
    check_rules(0, reg, type, {});
    mark_dynamic(0, reg);
  }
}

/// Fields of one segment without any of which the expression is absent. False when no such set is known.
bool Body::guard_of(ir::Index index, ir::Index& segment, std::uint64_t& mask) const {
  const ir::Unit& unit = state_.unit();
  const ir::Expr& expr = unit.exprs[index];
  switch (expr.op) {
    case ir::Op::v2_path: {
      const ir::V2Path& path = unit.v2_paths[expr.a];
      if (path.field == 0 || path.field > 64 || (segment != ir::kNone && segment != path.segment))
        return false;
      segment = path.segment;
      mask |= std::uint64_t{1} << (path.field - 1);
      return true;
    }
    case ir::Op::convert:
    case ir::Op::variant:
    case ir::Op::v2_relative:
    case ir::Op::raw:
    case ir::Op::each:
      return guard_of(expr.a, segment, mask);
    case ir::Op::call_datatype:
      return guard_of(expr.b, segment, mask);
    case ir::Op::coalesce:
      return guard_of(expr.a, segment, mask) && guard_of(expr.b, segment, mask);
    case ir::Op::choose:
      return expr.c == ir::kNone && guard_of(expr.b, segment, mask);
    case ir::Op::lookup: {
      const ir::Lookup& lookup = unit.lookups[expr.a];
      return !lookup.covers_absent && guard_of(lookup.key, segment, mask);
    }
    case ir::Op::object: {
      const ir::Object& object = unit.objects[expr.a];
      if (object.all_constant || object.body.count == 0) return false;
      for (ir::Index i = 0; i < object.body.count; ++i) {
        const ir::Stmt& stmt = unit.stmts[object.body.first + i];
        if (stmt.op != ir::StmtOp::write) return false;
        const ir::Write& write = unit.writes[stmt.index];
        if (!write.constant && !guard_of(write.value, segment, mask)) return false;
      }
      return mask != 0;
    }
    default:
      return false;
  }
}

void Body::find_guard(ir::Write& write) const {
  // A policy on null or missing values may act on what is not there.
  if (policies_.missing != ir::kNone || write.override_) return;
  ir::Index segment = ir::kNone;
  std::uint64_t mask = 0;
  if (!guard_of(write.value, segment, mask)) return;
  write.guard_segment = segment;
  write.guard_mask = mask;
}

}  // namespace kiln::mappings::detail
