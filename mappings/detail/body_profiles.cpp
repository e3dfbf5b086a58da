// Profiles and slices of created resources, further parameters of maps, and what an A08 feed should not do.

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
