// Profiles and slices of created resources, further parameters of maps, and what an A08 feed should not do.

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

const LoadedProfile* Body::profile_of(const ast::Create& create, const fhir::TypeDef& type) {
  if (!create.type.profile) return nullptr;
  const ast::Literal& name = *create.type.profile;
  const LoadedProfile* found = state_.library.profile(name.text);
  if (found == nullptr) {
    auto& diagnostic =
        state_.report(ErrorCode::E0216, name.span, "the site has no profile \"" + name.text + "\"");
    std::vector<std::string_view> ids;
    for (const auto& other : state_.library.profiles()) ids.push_back(other->profile.id);
    suggest(diagnostic, name.text, ids);
    diagnostic.helps.push_back("put its StructureDefinition into the folder `profiles`, as JSON");
    return nullptr;
  }
  if (found->profile.type == type.name()) return found;
  state_.report(ErrorCode::E0216, name.span,
                "profile " + found->profile.id + " is one of " + found->profile.type + ", not of " +
                    std::string(type.name()));
  return nullptr;
}

const Target& Body::handle_target(std::uint16_t reg) const {
  for (const Binding& binding : bindings_) {
    if (binding.kind == Binding::Kind::handle && binding.target.reg == reg) return binding.target;
  }
  return target_;
}

const ast::Block* Body::slice_of(const ast::TargetStep& slice, const std::string& name,
                                 const LoadedProfile* profile) {
  if (profile == nullptr) {
    state_.report(ErrorCode::E0216, slice.span, "`" + name + "` needs a profile", "no profile is named here")
        .helps.push_back("name it where the resource is created: `create o: Observation(\"…\")`");
    return nullptr;
  }
  const auto found = profile->slices.find(name);
  if (found != profile->slices.end()) return found->second;
  auto& diagnostic = state_.report(ErrorCode::E0216, slice.span,
                                   "profile " + profile->profile.id + " has no slice `" + name + "`");
  std::vector<std::string> names;
  for (const auto& [known, block] : profile->slices) names.push_back(known);
  suggest(diagnostic, name, {names.begin(), names.end()});
  if (!names.empty()) diagnostic.notes.push_back("it has " + listed(names));
  return nullptr;
}

bool Body::covers(const ir::Write& own, const ir::Write& fixed) const {
  const ir::Unit& unit = state_.unit();
  if (own.base != fixed.base || own.mode != fixed.mode || own.condition != ir::kNone || own.override_ ||
      own.path.count != fixed.path.count)
    return false;
  for (ir::Index i = 0; i < own.path.count; ++i) {
    const ir::Step &a = unit.steps[own.path.first + i], &b = unit.steps[fixed.path.first + i];
    if (a.kind != b.kind || a.slot != b.slot || a.value_slot != b.value_slot || a.number != b.number ||
        a.choice != b.choice || a.url != b.url)
      return false;
  }
  return covers(own.value, fixed.value);
}

bool Body::covers(ir::Index own, ir::Index fixed) const {
  const ir::Unit& unit = state_.unit();
  const ir::Expr &a = unit.exprs[own], &b = unit.exprs[fixed];
  if (a.op != b.op) return false;
  switch (a.op) {
    case ir::Op::constant: {
      const ir::Constant &x = unit.constants[a.a], &y = unit.constants[b.a];
      return x.kind == y.kind && x.number == y.number && unit.text(x.text) == unit.text(y.text);
    }
    case ir::Op::convert:
    case ir::Op::variant:
      return a.b == b.b && covers(a.a, b.a);
    case ir::Op::object:
      break;
    default:
      return false;
  }
  const ir::Object &x = unit.objects[a.a], &y = unit.objects[b.a];
  if (x.shape != y.shape) return false;
  for (ir::Index i = 0; i < y.body.count; ++i) {
    const ir::Stmt& wanted = unit.stmts[y.body.first + i];
    if (wanted.op != ir::StmtOp::write) return false;
    bool found = false;
    for (ir::Index j = 0; j < x.body.count && !found; ++j) {
      const ir::Stmt& stmt = unit.stmts[x.body.first + j];
      if (stmt.op != ir::StmtOp::write) continue;
      ir::Write part = unit.writes[stmt.index];
      part.base = unit.writes[wanted.index].base;  // each literal has a register of its own
      found = covers(part, unit.writes[wanted.index]);
    }
    if (!found) return false;
  }
  return true;
}

/// A map may write what its profile fixes anyway, and more: that is no second value.
void Body::drop_repeated(std::vector<ir::Stmt>& out, std::size_t first, const std::vector<std::size_t>& notes) {
  std::size_t own = first + notes.size();
  for (std::size_t i = notes.size(); i-- > 0;) {
    if (out[first + i].op != ir::StmtOp::write) continue;
    const ir::Write fixed = state_.unit().writes[out[first + i].index];
    const auto repeats = [&](const ir::Stmt& stmt) {
      return stmt.op == ir::StmtOp::write && covers(state_.unit().writes[stmt.index], fixed);
    };
    if (!std::any_of(out.begin() + static_cast<std::ptrdiff_t>(own), out.end(), repeats)) continue;
    notes_.erase(notes_.begin() + static_cast<std::ptrdiff_t>(notes[i]));
    out.erase(out.begin() + static_cast<std::ptrdiff_t>(first + i));
    --own;
  }
}

/// W0601: the message says what changed, a PUT replaces everything.
void Body::check_upsert(const ast::Create& create) {
  const auto& null_policy = state_.unit().policies[policies_.null];
  if (create.request != ast::Create::Request::upsert || event_ != "ADT^A08" ||
      null_policy.kind == ir::PolicyKind::delete_)
    return;
  state_
      .report(ErrorCode::W0601, create.request_span,
              "upsert (PUT) with an A08 feed replaces elements the sender left out")
      .helps.push_back("`request patch`, or `on null delete` when the sender always sends everything");
}

void Body::bind_parameter(const ast::Param& param, const ast::Expr* argument, const LibraryFile& file) {
  const StaticType type = state_.type(*file_, param.type);
  const LibraryFile* own = std::exchange(file_, &file);
  Checked value = argument == nullptr ? done(make(ir::Op::omit), absent_type(), param.name.span, true)
                                      : this->value(*argument, destination_of(type, param.name.text));
  file_ = own;
  if (argument != nullptr && !value.constant && !value.type.is_error())
    state_.report(ErrorCode::E0501, argument->span, "an argument of a map is a constant");
  const std::uint16_t slot = declare_local(param.name.text, type, param.name.span);
  prelude_.push_back({ir::StmtOp::let, static_cast<ir::Index>(state_.unit().lets.size())});
  state_.unit().lets.push_back({slot, value.expr});
}

}  // namespace kiln::mappings::detail
