// `for each` over groups, segments, repetitions, lists and rows; fragments (hmap.md §3, §13).

#include <algorithm>

#include "mappings/detail/body.h"
#include "mappings/limits.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

void Body::loop_body(const ast::ForEach& loop, ir::Loop& lowered) {
  if (loop.where) {
    lowered.where = condition(*loop.where);
    collect_atoms(*loop.where, true, conditions_);
  }
  lowered.body = block(loop.body);
}

bool Body::loop_over_structure(const ast::ForEach& loop, const ast::Ident& name, ir::Loop& lowered) {
  const base::Span span = loop.source->span;
  std::size_t at = 0;
  auto found = reachable(name.name, at);
  if (found.empty() && name.name.starts_with('Z') && segment_model(name.name, span, true) &&
      !contexts_.empty()) {
    at = contexts_.size() - 1;
    while (at > context_floor_ && contexts_[at].kind == ir::BaseKind::segment_loop) --at;
    found.push_back({-1, {}, false});
  }
  if (found.empty()) {
    const auto all = tree_->below(-1, name.name);
    if (all.size() > 1) {
      report_ambiguous(name.name, name.name, span, all);
    } else {
      report_misplaced(name.name, span, all);
    }
    return false;
  }
  const int group = found.front().node < 0 ? -1 : tree_->group_of(found.front().node);
  for (const auto& other : found) {
    if (other.node >= 0 && tree_->group_of(other.node) != group) {
      report_ambiguous(name.name, name.name, span, tree_->below(-1, name.name));
      return false;
    }
  }
  std::vector<std::pair<int, int>> path;
  for (const int entered : found.front().groups) path.push_back({entered, 1});
  const Context outer = contexts_[at];
  Context inner;
  inner.name = name.name;
  const bool is_group =
      found.front().node >= 0 && tree_->node(found.front().node).kind == hl7::NodeKind::group;
  if (is_group) {
    ir::GroupRef ref;
    ref.parent = outer.group;
    ref.path = group_steps(path);
    ref.node = static_cast<std::uint16_t>(found.front().node);
    ref.name = state_.builder.string(name.name);
    lowered.kind = ir::LoopKind::group;
    lowered.source = static_cast<ir::Index>(state_.unit().group_refs.size());
    state_.unit().group_refs.push_back(ref);
    inner.kind = ir::BaseKind::group_loop;
    inner.group = lowered.source;
    inner.node = found.front().node;
  } else {
    ir::SegmentRef ref;
    ref.base = ir::BaseKind::segment_loop;
    ref.group = outer.group;
    ref.id = ir::pack_segment(name.name);
    ref.path = group_steps(path);
    const bool single = found.size() == 1 && found.front().node >= 0;
    ref.node = single ? static_cast<std::uint16_t>(found.front().node) : ir::kNoSlot;
    lowered.kind = ir::LoopKind::segment;
    lowered.source = add_segment_ref(ref);
    inner.kind = ir::BaseKind::segment_loop;
    inner.segment = lowered.source;
  }
  contexts_.push_back(inner);
  loop_body(loop, lowered);
  contexts_.pop_back();
  if (is_group) {
    auto& resets = state_.unit().resets;
    lowered.reset_segments.first = static_cast<ir::Index>(resets.size());
    const auto& refs = state_.unit().segment_refs;
    for (std::size_t i = first_segment_ref_; i < refs.size(); ++i) {
      if (refs[i].base == ir::BaseKind::group_loop && refs[i].group == lowered.source)
        resets.push_back(static_cast<ir::Index>(i));
    }
    lowered.reset_segments.count = static_cast<ir::Index>(resets.size()) - lowered.reset_segments.first;
  }
  return true;
}

bool Body::loop_over_values(const ast::ForEach& loop, ir::Loop& lowered) {
  const auto* path = loop.source->get_if<ast::V2Ref>();
  Checked list = path ? v2_ref(*path, loop.source->span, true) : check(*loop.source);
  if (list.type.is_error()) return false;
  if (!list.type.list && !list.type.is_v2()) {
    state_.report(ErrorCode::E0501, loop.source->span,
                  "`for each` needs a list; " + text_of(loop.source->span) + " is " + name_of(list.type));
    return false;
  }
  StaticType item = list.type.item();
  const bool rows = item.kind == StaticType::Kind::csv_row;
  lowered.kind = rows ? ir::LoopKind::rows : ir::LoopKind::values;
  lowered.source = list.expr;
  if (!loop.group_by.empty()) {
    if (!rows) {
      state_.report(ErrorCode::E0215, loop.group_by.front()->span, "`group by` groups CSV rows");
      return false;
    }
    lowered.kind = ir::LoopKind::row_groups;
    lowered.slot = new_local();
    this_.push_back({lowered.slot, item});
    std::vector<ir::Index> keys;
    for (const auto& key : loop.group_by) keys.push_back(check_scalar(*key, "`group by`").expr);
    this_.pop_back();
    lowered.keys = state_.builder.args(keys);
    item.kind = StaticType::Kind::csv_group;
  } else {
    lowered.slot = new_local();
  }
  if (rows) {
    ir::PolicySet policies = policies_;
    for (const auto& stmt : loop.body.statements) {
      const auto* on = stmt.get_if<ast::OnEvent>();
      if (on != nullptr && on->event == ast::OnEvent::Event::bad) policies.bad = state_.policy(on->policy);
    }
    lowered.policies = state_.builder.policy_set(policies);
  }
  const std::size_t bindings = bindings_.size();
  if (loop.binding) {
    Binding binding;
    binding.name = loop.binding->text;
    binding.type = item;
    binding.slot = lowered.slot;
    binding.span = loop.binding->span;
    bindings_.push_back(std::move(binding));
  }
  if (loop.where) {
    this_.push_back({lowered.slot, item});
    lowered.where = condition(*loop.where);
    this_.pop_back();
    collect_atoms(*loop.where, true, conditions_);
  }
  lowered.body = block(loop.body);
  for (std::size_t i = bindings; i < bindings_.size(); ++i) bindings_[i].alive = false;
  return true;
}

void Body::for_each(const ast::ForEach& loop, std::vector<ir::Stmt>& out) {
  ir::Loop lowered;
  lowered.index_slot = new_local();
  loop_indexes_.push_back(lowered.index_slot);
  ++loop_depth_;
  const std::size_t conditions = conditions_.size(), narrowed = narrowed_.size();
  const auto* ident = loop.source->get_if<ast::Ident>();
  const bool structural =
      ident != nullptr && tree_ != nullptr && find_binding(ident->name) == nullptr &&
      (!tree_->below(-1, ident->name).empty() || segment_model(ident->name, loop.source->span, true));
  const bool ok = structural ? loop_over_structure(loop, *ident, lowered) : loop_over_values(loop, lowered);
  --loop_depth_;
  loop_indexes_.pop_back();
  conditions_.resize(conditions);
  narrowed_.resize(narrowed);
  if (!ok) return;
  out.push_back({ir::StmtOp::loop, static_cast<ir::Index>(state_.unit().loops.size())});
  state_.unit().loops.push_back(lowered);
}

/// The fragment builds what this block builds.
bool Body::fits_fragment(const Declaration& declaration, base::Span span) {
  const auto& decl = *declaration.decl->get_if<ast::FragmentDecl>();
  const std::string& wanted = decl.target.name.text;
  bool fits = false;
  std::string here = "nothing";
  if (decl.target.model == ast::Type::Model::hl7) {
    fits = target_.kind == Target::Kind::v2 && (target_.segment.empty() || target_.segment == wanted);
  } else if (target_.kind == Target::Kind::fhir) {
    here = target_.fhir->name();
    fits = wanted == here || target_.fhir->is_a(wanted);
  }
  if (decl.target.model == ast::Type::Model::fhir && wanted == "Bundle" && target_.kind == Target::Kind::none)
    fits = true;
  if (wanted == "Bundle" && target_.kind == Target::Kind::none) fits = true;
  if (!fits) {
    state_.report(
        ErrorCode::E0215, span,
        "fragment " + std::string(declaration.name) + " builds " + wanted + "; this block builds " + here);
  }
  return fits;
}

/// Where an argument lies that is a value at hand (`.`, a loop's element) of just this type: it needs no copy.
std::optional<std::uint16_t> Body::slot_at_hand(const ast::Expr* argument, const StaticType& type) const {
  if (argument == nullptr || type.list || !type.is_v2()) return std::nullopt;
  const auto same = [&](const StaticType& other) {
    return !other.list && other.is_v2() && other.name == type.name;
  };
  if (argument->get_if<ast::This>() != nullptr && !this_.empty() && same(this_.back().type))
    return this_.back().slot;
  const auto* ident = argument->get_if<ast::Ident>();
  const Binding* binding = ident == nullptr ? nullptr : find_binding(ident->name);
  if (binding != nullptr && binding->kind == Binding::Kind::value && same(binding->type)) return binding->slot;
  return std::nullopt;
}

void Body::bind_parameters(const Declaration& declaration, const ast::Include& include, base::Span span,
                           std::vector<ir::Stmt>& out, std::vector<Context>& contexts,
                           std::vector<Binding>& bindings) {
  const auto& decl = *declaration.decl->get_if<ast::FragmentDecl>();
  const auto ordered = ordered_args(decl.params, include.args, declaration.name, span);
  for (std::size_t i = 0; i < decl.params.size(); ++i) {
    const ast::Param& param = decl.params[i];
    const bool segment = param.type.model == ast::Type::Model::hl7 && !is_datatype(param.type.name.text);
    if (segment) {
      const auto* name = ordered[i] ? ordered[i]->get_if<ast::Ident>() : nullptr;
      Context context;
      context.kind = ir::BaseKind::segment_loop;
      context.name = param.type.name.text;
      context.segment =
          find_in_contexts(name ? name->name : param.type.name.text, ordered[i] ? ordered[i]->span : span);
      if (context.segment != ir::kNone) contexts.push_back(context);
      continue;
    }
    Binding binding;
    binding.name = param.name.text;
    binding.type = state_.type(*declaration.file, param.type);
    binding.span = param.name.span;
    if (const auto slot = slot_at_hand(ordered[i], binding.type)) {
      binding.slot = *slot;
      bindings.push_back(std::move(binding));
      continue;
    }
    binding.slot = new_local();
    const ir::Index value = ordered[i]
                                ? this->value(*ordered[i], destination_of(binding.type, param.name.text)).expr
                                : done(make(ir::Op::omit), absent_type(), span, true).expr;
    out.push_back({ir::StmtOp::let, static_cast<ir::Index>(state_.unit().lets.size())});
    state_.unit().lets.push_back({binding.slot, value});
    bindings.push_back(std::move(binding));
  }
}

/// Fragments that include each other several times grow with every level: a map has room for so many of their statements.
bool Body::room_for(const ast::Stmt& stmt, base::Span include) {
  if (full_) return false;
  ++included_;
  ++state_.included_statements;
  const bool here = included_ > limits::kIncludedStatementsMax;
  if (!here && state_.included_statements <= limits::kIncludedStatementsInAllMax) return true;
  full_ = true;
  const std::size_t most = here ? limits::kIncludedStatementsMax : limits::kIncludedStatementsInAllMax;
  auto& diagnostic =
      state_.report(ErrorCode::E0008, stmt.span,
                    std::string("the fragments of ") + (here ? "this map" : "all maps") + " come to more than " +
                        std::to_string(most) + " statements when they are written out",
                    "the first one too many");
  diagnostic.notes.push_back("included by `" + text_of(include) + "`");
  diagnostic.helps.push_back("a fragment that includes another several times multiplies it: use `for each`, or a `datatype` map");
  return false;
}

/// Lowers the fragment's statements in place: its segments become the caller's, its rules keep its own
/// address.
void Body::inline_fragment(const Declaration& declaration, const ast::Include& include, base::Span span,
                           std::vector<ir::Stmt>& out) {
  if (full_) return;
  auto& stack = state_.include_stack;
  if (std::find(stack.begin(), stack.end(), declaration.decl) != stack.end()) {
    state_.report(ErrorCode::E0502, span, "fragment " + std::string(declaration.name) + " includes itself");
    return;
  }
  if (!fits_fragment(declaration, span)) return;
  std::vector<Context> contexts;
  std::vector<Binding> bindings;
  bind_parameters(declaration, include, span, out, contexts, bindings);
  const auto& decl = *declaration.decl->get_if<ast::FragmentDecl>();
  stack.push_back(declaration.decl);
  const LibraryFile* file = std::exchange(file_, declaration.file);
  std::string address =
      std::exchange(address_, std::string(declaration.package) + ":" + std::string(declaration.name) + ".");
  std::string target_address = std::exchange(target_.address, "");
  const std::size_t context_floor = std::exchange(context_floor_, contexts_.size());
  const std::size_t binding_floor = std::exchange(binding_floor_, bindings_.size());
  const auto this_values = std::exchange(this_, {});
  const auto narrowed = std::exchange(narrowed_, {});
  const ir::PolicySet policies = policies_;
  contexts_.insert(contexts_.end(), contexts.begin(), contexts.end());
  const std::size_t own = bindings_.size();
  bindings_.insert(bindings_.end(), bindings.begin(), bindings.end());
  announce_creates(decl.body.statements);
  for (const auto& stmt : decl.body.statements) {
    if (!room_for(stmt, span)) break;
    statement(stmt, out);
  }
  for (std::size_t i = own; i < bindings_.size(); ++i) bindings_[i].alive = false;
  contexts_.resize(context_floor_);
  policies_ = policies;
  narrowed_ = narrowed;
  this_ = this_values;
  binding_floor_ = binding_floor;
  context_floor_ = context_floor;
  target_.address = std::move(target_address);
  address_ = std::move(address);
  file_ = file;
  stack.pop_back();
}

}  // namespace kiln::mappings::detail
