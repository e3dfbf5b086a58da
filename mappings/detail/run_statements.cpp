// The switch over StmtOp.

#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {

void Run::exec_other(const Action& action) {
  switch (action.op) {
    case ir::StmtOp::let: {
      const ir::Let& let = unit_->lets[action.index];
      frame_.locals[let.slot] = eval(let.value);
      return;
    }
    case ir::StmtOp::write:
      return;  // exec_body() knows them
    case ir::StmtOp::create:
      return exec_create(unit_->creates[action.index]);
    case ir::StmtOp::add:
      return exec_add(unit_->adds[action.index]);
    case ir::StmtOp::emit:
      return exec_emit(unit_->emits[action.index]);
    case ir::StmtOp::loop:
      return exec_loop(unit_->loops[action.index]);
    case ir::StmtOp::when:
      return exec_when(unit_->whens[action.index]);
    case ir::StmtOp::require:
      return exec_require(unit_->requires_[action.index]);
    case ir::StmtOp::warn:
      return exec_warn(unit_->warns[action.index]);
    case ir::StmtOp::skip:
      if (halt_ == Halt::none) halt_ = Halt::skip;
      return;
  }
}

inline void Run::exec_write(const WriteFacts& write) {
  OutputNode* const base = frame_.objects[write.base];
  if (base == nullptr) return;
  if ((write.test != TestKind::none || write.late_guard) && !passes(write)) return;
  rule_ = write.rule;
  switch (write.kind) {
    case WriteKind::part:
    case WriteKind::text:
      return write_found(write, *base);
    case WriteKind::value:
      if (write.only_if_unset && is_written(*base, write.slot)) return;
      return write_value(write, *base, eval_common(write.value));
    case WriteKind::object:
      return write_object(write, *base);
    case WriteKind::reference:
      return write_reference(write, *base);
    case WriteKind::call:
      return write_call(write, *base);
    case WriteKind::general:
      return write_general(write, *base);
  }
}

/// Which of the places that a guard is of hold something; all of them where that is not known.
inline std::uint64_t Run::valued_of(ir::Index guard_of) {
  if (guard_of == StatementGuard::kNothing) return ~std::uint64_t{0};
  if (guard_of == StatementGuard::kParts) return frame_.valued;
  const std::int32_t segment = segment_of(guard_of);
  return segment < 0 ? 0 : info(static_cast<std::uint32_t>(segment)).valued;
}

/// A statement whose guard holds nothing costs one AND, and so does a run of them: neighbours mostly look at
/// the same segment or value, which no statement of the body changes.
void Run::exec_body(ir::Range body) {
  if (halt_ != Halt::none || body.count == 0) return;
  const ir::Range made = facts_->actions.bodies[body.first];
  const Action* at = facts_->actions.all.data() + made.first;
  ir::Index looked_at = StatementGuard::kNothing;
  std::uint64_t valued = ~std::uint64_t{0};
  for (const Action* const end = at + made.count; at != end; ++at) {
    if (at->guard_of != looked_at) {
      looked_at = at->guard_of;
      valued = valued_of(looked_at);
    }
    if ((valued & at->mask) == 0) {
      if ((valued & at->run_mask) != 0) {
        steps_ += at->steps;
        if (at->creates != ir::kNoSlot) frame_.objects[at->creates] = nullptr;
        continue;
      }
      steps_ += at->run_steps;
      const Action* const last = at + at->run - 1;
      for (; at <= last && at->run_creates; ++at) {
        if (at->creates != ir::kNoSlot) frame_.objects[at->creates] = nullptr;
      }
      at = last;
      continue;
    }
    steps_ += at->steps;
    if (steps_ > steps_max_ && over_budget()) [[unlikely]]
      return;
    if (at->op == ir::StmtOp::write) {
      exec_write(facts_->writes[at->index]);
    } else {
      exec_other(*at);
    }
    if (halt_ != Halt::none) return;
  }
}

void Run::exec_when(const ir::When& when) {
  for (ir::Index i = 0; i < when.branches.count; ++i) {
    const ir::WhenBranch& branch = unit_->when_branches[when.branches.first + i];
    if (branch.condition == ir::kNone || truth(branch.condition)) return exec_body(branch.body);
    if (halt_ != Halt::none) return;
  }
}

void Run::exec_require(const ir::Require& require) {
  if (truth(require.condition) || halt_ != Halt::none) return;
  const ir::Policy& action = unit_->policies[require.action];
  rule_ = ir::kNone;
  switch (action.kind) {
    case ir::PolicyKind::reject:
      return reject(action, location_of(require.condition));
    case ir::PolicyKind::quarantine:
      return quarantine(action.text == ir::kNone ? "required by the map" : std::string(text(action.text)));
    default:
      if (action.text != ir::kNone) {
        note(RunDiagnostic::Level::note, "skipped", text(action.text), nullptr);
      }
      halt_ = Halt::skip;
      return;
  }
}

/// The first source path in a condition: where a failed `require` points to in ERR-2 or OperationOutcome.
std::string Run::location_of(ir::Index expr) const {
  const ir::Expr& at = unit_->exprs[expr];
  using ir::Op;
  switch (at.op) {
    case Op::v2_path:
      return std::string(text(unit_->v2_paths[at.a].text));
    case Op::and_:
    case Op::or_:
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::in_list:
    case Op::contains:
    case Op::coalesce: {
      std::string left = location_of(at.a);
      return left.empty() ? location_of(at.b) : left;
    }
    case Op::not_:
    case Op::matches:
    case Op::is_valued:
    case Op::is_not_valued:
    case Op::is_null:
    case Op::is_not_null:
    case Op::is_type:
    case Op::is_not_type:
    case Op::convert:
    case Op::item:
    case Op::filter:
    case Op::v2_relative:
    case Op::raw:
      return location_of(at.a);
    case Op::call_builtin:
      return at.c > 0 ? location_of(unit_->args[at.b]) : std::string();
    default:
      return {};
  }
}

void Run::exec_warn(const ir::Warn& warn) {
  if (warn.condition != ir::kNone && !truth(warn.condition)) return;
  if (halt_ != Halt::none) return;
  rule_ = ir::kNone;
  note(RunDiagnostic::Level::warning, "warning", text_of(eval(warn.text)), nullptr);
}

void Run::exec_create(const ir::Create& create) {
  frame_.objects[create.reg] = nullptr;
  rule_ = create.rule;
  if (create.condition != ir::kNone && !truth(create.condition)) return;
  if (halt_ != Halt::none) return;
  CreatedNode& node = *new (arena_.allocate(sizeof(CreatedNode), alignof(CreatedNode))) CreatedNode;
  node.create = &create;
  node.handle = text(create.handle);
  node.resource_type = text(unit_->shapes[create.shape].name);
  node.sequence = ++sequence_;
  make_object(arena_, node, create.shape, members_of(create.shape));
  node.needs_live = facts_->live_creates[static_cast<std::size_t>(&create - unit_->creates.data())] != 0;
  node.first_loop = static_cast<std::uint32_t>(loop_numbers_.size());
  node.loops = static_cast<std::uint32_t>(loop_stack_.size());
  loop_numbers_.insert(loop_numbers_.end(), loop_stack_.begin(), loop_stack_.end());
  if (create.identity != ir::kNone) read_identity(create, node);
  if (halt_ != Halt::none) return;
  frame_.objects[create.reg] = &node;
  created_.push_back(&node);
  exec_body(create.body);
  if (halt_ == Halt::skip) {
    halt_ = Halt::none;
    node.skipped = true;
  }
}

void Run::read_identity(const ir::Create& create, CreatedNode& node) {
  keep_built_ = true;
  const Value identity = eval(create.identity);
  keep_built_ = false;
  if (identity.kind != ValueKind::object || identity.object->shape != unit_->identifier_shape) return;
  OutputNode& object = *const_cast<OutputNode*>(identity.object);  // built by this run
  const auto part = [&](std::uint16_t index) -> std::string_view {
    if (index == ir::kNoSlot || index >= object.size || object.slots[index] == nullptr) return {};
    const OutputNode& leaf = *object.slots[index];
    return leaf.kind == NodeKind::text ? leaf.text() : std::string_view();
  };
  const std::string_view value = part(unit_->identifier_value);
  if (value.empty()) return;
  node.value = value;
  node.system = part(unit_->identifier_system);
  node.identity = &object;
  mark_live(&node);
  if (node.system.empty() && kind_of(object.source) == SourceKind::hl7) node.authority = authority_of(object);
}

/// The assigning authority as sent, for an identity whose system has no URI: it keeps apart what two
/// authorities numbered alike.
std::string_view Run::authority_of(const OutputNode& identity) {
  const std::string_view type = text(unit_->types[identity.type].name);
  const std::uint32_t component = type == "CX"                     ? 4
                                  : type == "EI"                   ? 2
                                  : type == "XCN" || type == "XON" ? (type == "XCN" ? 9 : 6)
                                                                   : 0;
  if (component == 0) return {};
  Value source;
  source.kind = ValueKind::hl7;
  source.hl7 = hl7_range(identity.source);
  source.flags = static_cast<std::uint8_t>(hl7_level(identity.source));
  const Value part = relative(source, component, 0, 0);
  if (part.kind != ValueKind::hl7) return {};
  const std::uint32_t end = type == "EI" ? source.hl7.end : part.hl7.end;
  return {bytes_ + part.hl7.begin, end - part.hl7.begin};
}

void Run::exec_add(const ir::Add& add) {
  OutputNode* base = frame_.objects[add.base];
  frame_.objects[add.reg] = nullptr;
  if (base == nullptr) return;
  rule_ = add.rule;
  OutputNode* object = walk(*base, {add.path.first, add.path.count - 1});
  if (object == nullptr) return;
  const ir::Step& last = unit_->steps[add.path.first + add.path.count - 1];
  OutputNode& list = slot(arena_, *object, last.slot);
  OutputNode& node = append_item(arena_, list);
  make_object(arena_, node, add.shape, members_of(add.shape));
  frame_.objects[add.reg] = &node;
  exec_body(add.body);
}

void Run::exec_emit(const ir::Emit& emit) {
  rule_ = emit.rule;
  OutputNode& row = new_node(arena_, nullptr);
  make_object(arena_, row, emit.shape, members_of(emit.shape));
  frame_.objects[emit.reg] = &row;
  exec_body(emit.body);
  if (halt_ == Halt::skip) {
    halt_ = Halt::none;
    return;
  }
  row.rule = emit.rule;
  rows_.push_back(&row);
}

}  // namespace kiln::mappings::detail
