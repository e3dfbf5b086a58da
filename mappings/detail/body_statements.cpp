// Statements (hmap.md §6, §9, §11).

#include <algorithm>

#include "mappings/detail/body.h"
#include "mappings/detail/extend.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

ir::Range Body::block(const ast::Block& block, const std::string* handle, const ast::Block* constants) {
  const ir::PolicySet policies = policies_;
  const std::size_t bindings = bindings_.size(), narrowed = narrowed_.size();
  std::vector<ir::Stmt> out;
  if (handle != nullptr && handle->empty()) out = std::move(prelude_);
  const std::size_t fixed = out.size();
  std::vector<std::size_t> fixed_notes;  // of the rules of the profile
  if (constants != nullptr) {
    for (const auto& stmt : constants->statements) {
      const std::size_t before = out.size();
      statement(stmt, out);
      if (out.size() > before) fixed_notes.push_back(notes_.size() - 1);  // its own comes behind those of its parts
    }
  }
  const bool extended = extension_ != nullptr && handle != nullptr;
  std::vector<Extension::Addition> additions;
  if (extended) additions = extension_->additions(*handle);
  for (const auto& added : additions) {
    if (added.stmt->get_if<ast::OnEvent>()) from_layer(*added.stmt, added.layer, out);
  }
  announce_creates(block.statements);
  for (const auto& stmt : block.statements) {
    const auto* on = stmt.get_if<ast::OnEvent>();
    if (on != nullptr && extended && extension_->overrides_policy(*handle, on->event)) continue;
    statement(stmt, out);
  }
  for (const auto& added : additions) {
    if (!added.stmt->get_if<ast::OnEvent>()) from_layer(*added.stmt, added.layer, out);
  }
  drop_repeated(out, fixed, fixed_notes);
  policies_ = policies;
  narrowed_.resize(narrowed);
  // Handles stay known, so that a later use can be explained; everything else leaves the scope.
  for (std::size_t i = bindings; i < bindings_.size(); ++i) bindings_[i].alive = false;
  return state_.builder.block(out);
}

void Body::statement(const ast::Stmt& stmt, std::vector<ir::Stmt>& out) {
  if (const auto* s = stmt.get_if<ast::Assign>()) return assign(*s, stmt.span, out);
  if (const auto* s = stmt.get_if<ast::Let>()) return let(*s, out);
  if (const auto* s = stmt.get_if<ast::OnEvent>()) return on_event(*s);
  if (const auto* s = stmt.get_if<ast::Require>()) return require(*s, out);
  if (const auto* s = stmt.get_if<ast::Create>()) return create(*s, stmt.span, out);
  if (const auto* s = stmt.get_if<ast::Add>()) return add(*s, out);
  if (const auto* s = stmt.get_if<ast::Emit>()) return emit(*s, stmt.span, out);
  if (const auto* s = stmt.get_if<ast::ForEach>()) return for_each(*s, out);
  if (const auto* s = stmt.get_if<ast::When>()) return when(*s, out);
  if (const auto* s = stmt.get_if<ast::Warn>()) {
    const Checked text = constant_text(s->text.text, "string", s->text.span);
    const ir::Index test = condition(*s->condition);
    out.push_back({ir::StmtOp::warn, static_cast<ir::Index>(state_.unit().warns.size())});
    state_.unit().warns.push_back({text.expr, test});
    return;
  }
  if (const auto* s = stmt.get_if<ast::Skip>()) {
    ir::Policy policy;
    policy.kind = ir::PolicyKind::skip;
    if (!s->text.empty()) policy.text = state_.builder.string(s->text);
    out.push_back({ir::StmtOp::skip, state_.builder.policy(policy)});
    return;
  }
  if (const auto* s = stmt.get_if<ast::Include>()) {
    const auto* declaration = state_.library.resolve(*file_, s->fragment, DeclKind::fragment).found;
    if (declaration == nullptr) {
      auto& diagnostic =
          state_.report(ErrorCode::E0305, s->fragment.span, "unknown fragment `" + s->fragment.text() + "`");
      suggest(diagnostic, s->fragment.parts.back().text,
              state_.library.names_in_scope(*file_, DeclKind::fragment));
      return;
    }
    inline_fragment(*declaration, *s, stmt.span, out);
  }
}

void Body::let(const ast::Let& let, std::vector<ir::Stmt>& out) {
  Destination destination;
  if (let.type) destination = destination_of(state_.type(*file_, *let.type), let.name.text);
  Checked value = this->value(*let.value, destination);
  if (!value.type.list || !destination.list) value = to_scalar(value);
  const std::uint16_t slot = declare_local(let.name.text, value.type, let.name.span);
  out.push_back({ir::StmtOp::let, static_cast<ir::Index>(state_.unit().lets.size())});
  state_.unit().lets.push_back({slot, value.expr});
}

void Body::on_event(const ast::OnEvent& event) {
  const ir::Index policy = state_.policy(event.policy);
  can_reject_ = can_reject_ || event.policy.action == ast::Policy::Action::reject;
  switch (event.event) {
    case ast::OnEvent::Event::bad:
      policies_.bad = policy;
      break;
    case ast::OnEvent::Event::null:
      policies_.null = policy;
      break;
    case ast::OnEvent::Event::unmapped:
      policies_.unmapped = policy;
      break;
    case ast::OnEvent::Event::missing:
      policies_.missing = policy;
      break;
  }
}

void Body::require(const ast::Require& require, std::vector<ir::Stmt>& out) {
  ir::Require made;
  made.condition = condition(*require.condition);
  made.action = state_.policy(require.otherwise);
  can_reject_ = can_reject_ || require.otherwise.action == ast::Policy::Action::reject;
  out.push_back({ir::StmtOp::require, static_cast<ir::Index>(state_.unit().requires_.size())});
  state_.unit().requires_.push_back(made);
  // What is required is valued in the rules that follow.
  collect_atoms(*require.condition, true, conditions_);
}

ir::Index Body::rule(std::string_view path, const std::optional<ast::Name>& label, base::Span span,
                     base::Span source) {
  std::string address = address_ + std::string(path);
  if (path.empty()) address.pop_back();
  if (label) address += "@" + label->text;
  std::string text = source.end > source.begin ? text_of(source) : std::string();
  if (text.size() > 80) text = text.substr(0, 79) + "…";
  ir::Rule made;
  made.address = state_.builder.string(address);
  made.span = span;
  made.source = state_.builder.string(text);
  state_.unit().rules.push_back(made);
  return static_cast<ir::Index>(state_.unit().rules.size() - 1);
}

std::string Body::where_address(const Place& place) const {
  return place.address.empty() ? place.path : place.address + "." + place.path;
}

void Body::assign(const ast::Assign& assign, base::Span span, std::vector<ir::Stmt>& out) {
  if (edited(assign, span, out)) return;
  const ir::PolicySet policies = policies_;
  if (assign.on_bad) {
    policies_.bad = state_.policy(*assign.on_bad);
    can_reject_ = can_reject_ || assign.on_bad->action == ast::Policy::Action::reject;
  }
  const std::size_t narrowed = narrowed_.size(), conditions = conditions_.size();
  ir::Write write;
  if (assign.condition) {
    write.condition = condition(*assign.condition);
    narrow_by(*assign.condition, true);
    collect_atoms(*assign.condition, true, conditions_);
  }
  Place place = this->place(assign.target);
  const bool append = assign.op == ast::Assign::Op::append;
  if (place.ok && place.list && !append && !place.indexed && assign.op == ast::Assign::Op::set &&
      target_.kind != Target::Kind::csv) {
    auto& diagnostic =
        state_.report(ErrorCode::E0202, assign.op_span,
                      "`" + text_of(assign.target.span) + "` is a list (0..*); `=` would replace it");
    diagnostic.helps.push_back("`" + text_of(assign.target.span) + " += …`");
    place.ok = false;
  }
  if (place.ok && append && !place.list) {
    auto& diagnostic =
        state_.report(ErrorCode::E0202, assign.op_span,
                      "`" + text_of(assign.target.span) + "` is a single value; `+=` appends to lists");
    diagnostic.helps.push_back("`" + text_of(assign.target.span) + " = …`");
    place.ok = false;
  }
  if (place.ok) {
    if (place.destination.constants != nullptr && assign.value->get_if<ast::Object>() == nullptr) {
      state_.report(ErrorCode::E0216, assign.value->span, "a slice is written as an object: `{ … }`");
      place.destination.constants = nullptr;
    }
    place.destination.list = append;
    Checked value = this->value(*assign.value, place.destination);
    const ir::Range steps = state_.builder.steps(place.steps, place.owners);
    write.base = place.reg;
    write.mode = append                                       ? ir::WriteMode::append
                 : assign.op == ast::Assign::Op::set_if_unset ? ir::WriteMode::set_if_unset
                                                              : ir::WriteMode::set;
    write.override_ = assign.override_earlier;
    write.constant = value.constant;
    write.path = steps;
    write.value = value.expr;
    write.policies = state_.builder.policy_set(policies_);
    write.rule = rule(where_address(place), assign.label, span, assign.value->span);
    find_guard(write);
    note_write(assign, place, value, steps);
    out.push_back({ir::StmtOp::write, static_cast<ir::Index>(state_.unit().writes.size())});
    state_.unit().writes.push_back(write);
  }
  policies_ = policies;
  narrowed_.resize(narrowed);
  conditions_.resize(conditions);
}

void Body::note_write(const ast::Assign& assign, const Place& place, const Checked& value, ir::Range steps) {
  WriteNote note;
  note.reg = place.reg;
  note.path = place.path;
  note.set = assign.op == ast::Assign::Op::set && !assign.override_earlier;
  note.set_if_unset = assign.op == ast::Assign::Op::set_if_unset;
  note.optional = value.optional || assign.condition != nullptr;
  note.constant = value.constant;
  note.span = assign.target.span;
  note.conditions = conditions_;
  note.prefixes = place.prefixes;
  for (ir::Index i = 0; i < steps.count; ++i) note.step_ids.push_back(steps.first + i);
  if (place.steps.back().kind == ir::StepKind::choice && value.type.kind == StaticType::Kind::fhir) {
    const auto* allowed = place.destination.element->find_type(value.type.fhir->name());
    if (allowed != nullptr) note.variant = place.destination.element->json_name(*allowed);
  }
  notes_.push_back(std::move(note));
}

ir::Index Body::identity(const ast::Expr& expr, const fhir::TypeDef& type, base::Span span) {
  const fhir::ElementDef* element = type.element("identifier");
  if (element == nullptr) {
    auto& diagnostic =
        state_.report(ErrorCode::E0213, span,
                      std::string(type.name()) + " has no `identifier`; `identity` cannot be written");
    diagnostic.helps.push_back("leave `identity` out: `update` by the message-scoped id");
    return ir::kNone;
  }
  const auto* identifier = fhir::find_type("Identifier");
  const ir::Index shape = state_.builder.fhir_shape(*identifier);
  state_.builder.fhir_member(shape, *identifier->element("system"), nullptr);
  state_.builder.fhir_member(shape, *identifier->element("value"), nullptr);
  state_.builder.fhir_member(state_.builder.fhir_shape(type), *element, nullptr);
  Destination destination = destination_of(fhir_type(identifier), "identity");
  const Target outer = std::exchange(target_, Target{});
  Checked value = this->value(expr, destination);
  target_ = outer;
  return value.expr;
}

void Body::create(const ast::Create& create, base::Span span, std::vector<ir::Stmt>& out) {
  const fhir::TypeDef* type = fhir::find_resource_type(create.type.name.text);
  if (type == nullptr) {
    auto& diagnostic = state_.report(ErrorCode::E0201, create.type.span,
                                     "FHIR R4 has no resource type " + create.type.name.text);
    std::vector<std::string_view> names;
    for (const auto& other : fhir::all_types()) {
      if (other.is_resource() && !other.is_abstract()) names.push_back(other.name());
    }
    suggest(diagnostic, create.type.name.text, names);
    return;
  }
  const LoadedProfile* profile = profile_of(create, *type);
  check_upsert(create);
  ir::Create made;
  if (create.condition) made.condition = condition(*create.condition);
  // A removed `create` stays as one that never happens, so that a `ref` to it elides with a note.
  if (removed(create, span)) {
    const auto no = state_.builder.constant(ir::ConstantKind::boolean, "false", 0);
    made.condition = done(make(ir::Op::constant, no), fhir_type("boolean"), span, true, false).expr;
  }
  const std::size_t conditions = conditions_.size();
  if (create.condition) collect_atoms(*create.condition, true, conditions_);
  if (create.identity) made.identity = identity(*create.identity, *type, create.identity->span);
  using Request = ast::Create::Request;
  switch (create.request) {
    case Request::create:
      made.request = ir::RequestKind::create;
      break;
    case Request::ensure:
      made.request = ir::RequestKind::ensure;
      break;
    case Request::upsert:
      made.request = ir::RequestKind::upsert;
      break;
    case Request::patch:
      made.request = ir::RequestKind::patch;
      break;
    case Request::none:
      made.request = ir::RequestKind::none;
      break;
    case Request::not_given:
    case Request::update:
      break;
  }
  Binding binding;
  binding.kind = Binding::Kind::handle;
  binding.name = create.handle.text;
  binding.in_loop = loop_depth_ > 0;
  binding.span = create.handle.span;
  binding.target.kind = Target::Kind::fhir;
  binding.target.reg = register_of(create);
  binding.target.fhir = type;
  binding.target.shape = state_.builder.fhir_shape(*type);
  binding.target.address = create.handle.text;
  binding.target.handle = create.handle.text;
  binding.target.profile = profile;
  const Target outer = std::exchange(target_, binding.target);
  bindings_.push_back(binding);
  made.reg = binding.target.reg;
  made.shape = binding.target.shape;
  made.handle = state_.builder.string(create.handle.text);
  made.copy = copies_[create.handle.text]++;
  bool all_constant = false;
  made.body = object_block(create.body, made.reg, all_constant, &create.handle.text,
                           profile == nullptr ? nullptr : profile->meta);
  target_ = outer;
  conditions_.resize(conditions);
  made.rule = rule(create.handle.text, create.label, create.handle.span, create.type.span);
  out.push_back({ir::StmtOp::create, static_cast<ir::Index>(state_.unit().creates.size())});
  state_.unit().creates.push_back(made);
}

void Body::add(const ast::Add& add, std::vector<ir::Stmt>& out) {
  const bool group_target =
      target_.kind == Target::Kind::v2 && target_.segment.empty() && target_.datatype.empty() && target_tree_;
  if (!group_target) {
    state_.report(ErrorCode::E0215, add.name.span, "`add` builds segments and groups of an HL7 message");
    return;
  }
  auto all = target_tree_->below(target_.group, add.name.text);
  auto found = all;
  // The path to it may not repeat; the thing itself may.
  std::erase_if(found, [](const auto& f) { return f.repeating; });
  StructureTree::nearest_first(found);
  if (all.empty() && add.name.text.starts_with('Z')) return add_z(add, out);
  if (found.empty()) {
    auto& diagnostic = state_.report(
        ErrorCode::E0103, add.name.span,
        add.name.text + " cannot be added to " + std::string(target_tree_->id()) + " at this point");
    if (!all.empty()) {
      const int group = target_tree_->group_of(all.front().node);
      diagnostic.label = add.name.text + " lives in " + target_tree_->path_of(group);
      diagnostic.helps.push_back("`add " + std::string(target_tree_->node(group).name) + " { add " +
                                 add.name.text + " { … } }`");
    }
    return;
  }
  Place place;
  ir::Index shape = target_.shape;
  enter_groups(found.front().groups, shape, place);
  const auto& node = target_tree_->node(found.front().node);
  Target inner;
  inner.kind = Target::Kind::v2;
  inner.reg = new_object();
  const bool group = node.kind == hl7::NodeKind::group;
  inner.shape = group ? group_shape(node.index) : segment_shape(add.name.text);
  inner.group = group ? node.index : -1;
  if (!group) inner.segment = add.name.text;
  inner.address = target_.address.empty() ? add.name.text : target_.address + "." + add.name.text;
  inner.handle = target_.handle.empty() ? add.name.text : target_.handle + "." + add.name.text;
  ir::Member made;
  made.name = state_.builder.string(add.name.text);
  made.order = node.index;
  made.list = node.repeats;
  made.shape = inner.shape;
  made.type = state_.unit().shapes[inner.shape].type;
  made.required = node.required;
  step(place, shape, state_.builder.member(shape, made), inner.shape, add.name.text);
  if (!group) written_segments_.insert(add.name.text);
  add_body(add, place, inner, out);
}

/// `add ZPI { … }`: behind the segments of the structure.
void Body::add_z(const ast::Add& add, std::vector<ir::Stmt>& out) {
  if (!segment_model(add.name.text, add.name.span, false)) return;
  Target inner;
  inner.kind = Target::Kind::v2;
  inner.reg = new_object();
  inner.shape = segment_shape(add.name.text);
  inner.segment = add.name.text;
  inner.address = target_.address.empty() ? add.name.text : target_.address + "." + add.name.text;
  inner.handle = target_.handle.empty() ? add.name.text : target_.handle + "." + add.name.text;
  Place place;
  step(place, target_.shape,
       state_.builder.member(target_.shape, z_member(add.name.text, inner.shape)), inner.shape, add.name.text);
  add_body(add, place, inner, out);
}

void Body::add_body(const ast::Add& add, const Place& place, const Target& inner, std::vector<ir::Stmt>& out) {
  ir::Add lowered;
  lowered.base = target_.reg;
  lowered.reg = inner.reg;
  lowered.shape = inner.shape;
  lowered.path = state_.builder.steps(place.steps, place.owners);
  lowered.rule = rule(inner.address, std::nullopt, add.name.span, {});
  const Target outer = std::exchange(target_, inner);
  bool all_constant = false;
  lowered.body = object_block(add.body, inner.reg, all_constant, &inner.handle);
  target_ = outer;
  out.push_back({ir::StmtOp::add, static_cast<ir::Index>(state_.unit().adds.size())});
  state_.unit().adds.push_back(lowered);
}

void Body::emit(const ast::Emit& emit, base::Span span, std::vector<ir::Stmt>& out) {
  if (target_.kind != Target::Kind::csv) {
    state_.report(ErrorCode::E0215, {span.file, span.begin, span.begin + 4},
                  "`emit` writes a row of a csv target");
    return;
  }
  ir::Emit lowered;
  const Target outer = target_;
  target_.reg = new_object();
  target_.handle = "emit";
  lowered.reg = target_.reg;
  lowered.shape = target_.shape;
  bool all_constant = false;
  lowered.body = object_block(emit.body, target_.reg, all_constant, &target_.handle);
  lowered.rule = rule("emit", std::nullopt, {span.file, span.begin, span.begin + 4}, {});
  target_ = outer;
  out.push_back({ir::StmtOp::emit, static_cast<ir::Index>(state_.unit().emits.size())});
  state_.unit().emits.push_back(lowered);
}

/// `version >= 2.7`: the block is checked as that version.
std::optional<hl7::Version> Body::version_guard(const ast::Expr& condition) const {
  const auto* binary = condition.get_if<ast::Binary>();
  if (binary == nullptr) return std::nullopt;
  if (binary->op == ast::BinaryOp::logical_and) {
    const auto left = version_guard(*binary->left);
    return left ? left : version_guard(*binary->right);
  }
  // `version >= 2.7 or laterFields`: who reads fields of a later version knows what they mean there.
  if (binary->op == ast::BinaryOp::logical_or) return version_guard(*binary->left);
  const auto* name = binary->left->get_if<ast::Ident>();
  const auto* number = binary->right->get_if<ast::Literal>();
  const bool guards = binary->op == ast::BinaryOp::ge || binary->op == ast::BinaryOp::eq;
  if (name == nullptr || name->name != "version" || number == nullptr || !guards) return std::nullopt;
  return hl7::find_version(number->text);
}

void Body::when(const ast::When& when, std::vector<ir::Stmt>& out) {
  std::vector<ir::WhenBranch> branches;
  const std::size_t narrowed = narrowed_.size(), conditions = conditions_.size();
  std::vector<const ast::Expr*> earlier;
  const auto branch = [&](const ast::Expr* test, const ast::Block& body) {
    for (const auto* other : earlier) {
      narrow_by(*other, false);
      collect_atoms(*other, false, conditions_);
    }
    ir::WhenBranch lowered;
    const hl7::Version version = version_;
    if (test != nullptr) {
      lowered.condition = condition(*test);
      narrow_by(*test, true);
      collect_atoms(*test, true, conditions_);
      if (const auto guarded = version_guard(*test)) version_ = std::max(version_, *guarded);
      earlier.push_back(test);
    }
    lowered.body = block(body);
    version_ = version;
    narrowed_.resize(narrowed);
    conditions_.resize(conditions);
    branches.push_back(lowered);
  };
  for (const auto& one : when.branches) branch(one.condition.get(), one.body);
  if (when.otherwise) branch(nullptr, *when.otherwise);
  ir::When lowered;
  lowered.branches = {static_cast<ir::Index>(state_.unit().when_branches.size()),
                      static_cast<ir::Index>(branches.size())};
  state_.unit().when_branches.insert(state_.unit().when_branches.end(), branches.begin(), branches.end());
  out.push_back({ir::StmtOp::when, static_cast<ir::Index>(state_.unit().whens.size())});
  state_.unit().whens.push_back(lowered);
}

}  // namespace kiln::mappings::detail
