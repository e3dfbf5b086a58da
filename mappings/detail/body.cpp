#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

Body::Body(CompilerState& state, const LibraryFile& file, std::string address)
    : state_(state), file_(&file), address_(std::move(address)) {
  policies_ = state_.unit().policy_sets[0];
  first_segment_ref_ = static_cast<ir::Index>(state_.unit().segment_refs.size());
  first_group_ref_ = static_cast<ir::Index>(state_.unit().group_refs.size());
}

void Body::set_version(hl7::Version version, std::string declared_as) {
  version_ = version;
  version_note_ = std::move(declared_as);
  any_version_ = false;
}

void Body::set_source(const hl7::StructureDef& structure) {
  tree_ = &state_.tree(version_, structure);
  contexts_.push_back({});
}

void Body::set_target_structure(const hl7::StructureDef& structure, hl7::Version version) {
  target_tree_ = &state_.tree(version, structure);
  target_version_ = version;
}

void Body::set_this(std::uint16_t slot, StaticType type) {
  this_.push_back({slot, std::move(type)});
}

std::uint16_t Body::declare_local(std::string_view name, StaticType type, base::Span span) {
  Binding binding;
  binding.name = name;
  binding.type = std::move(type);
  binding.slot = new_local();
  binding.span = span;
  bindings_.push_back(std::move(binding));
  return bindings_.back().slot;
}

void Body::declare_segment(std::string_view segment, ir::Index segment_ref) {
  Context context;
  context.kind = ir::BaseKind::segment_loop;
  context.segment = segment_ref;
  context.name = segment;
  contexts_.push_back(std::move(context));
}

ir::Expr Body::make(ir::Op op, ir::Index a, ir::Index b, ir::Index c) const {
  ir::Expr expr;
  expr.op = op;
  expr.a = a;
  expr.b = b;
  expr.c = c;
  expr.policies = state_.builder.policy_set(policies_);
  return expr;
}

Checked Body::done(ir::Expr expr, StaticType type, base::Span span, bool constant, bool optional) {
  expr.type = state_.builder.type(type);
  if (type.list) expr.flags |= ir::kFlagList;
  if (constant) expr.flags |= ir::kFlagConstant;
  Checked checked;
  checked.expr = state_.builder.expr(expr, span);
  checked.type = std::move(type);
  checked.constant = constant;
  checked.optional = optional;
  return checked;
}

/// Not optional: what is wrong already needs no W0211 on top.
Checked Body::failed(base::Span span) {
  return done(make(ir::Op::omit), StaticType{}, span, false, false);
}

Checked Body::local(std::uint16_t slot, StaticType type, base::Span span, bool optional) {
  return done(make(ir::Op::local, slot), std::move(type), span, false, optional);
}

Checked Body::constant_text(std::string_view text, std::string_view type, base::Span span) {
  const auto index = state_.builder.constant(ir::ConstantKind::string, text);
  return done(make(ir::Op::constant, index), fhir_type(type), span, true, false);
}

const Body::Binding* Body::find_binding(std::string_view name) const {
  for (std::size_t i = bindings_.size(); i > binding_floor_; --i) {
    const Binding& binding = bindings_[i - 1];
    if (binding.name == name && binding.alive && !binding.announced) return &binding;
  }
  return nullptr;
}

/// The next `create` of that name in this block or one around it.
const Body::Binding* Body::find_announced(std::string_view name) const {
  for (std::size_t i = binding_floor_; i < bindings_.size(); ++i) {
    const Binding& binding = bindings_[i];
    if (binding.name == name && binding.alive && binding.announced) return &binding;
  }
  return nullptr;
}

/// References are symbolic, so the order of the creates of a block does not matter to them.
void Body::announce_creates(const std::vector<ast::Stmt>& statements) {
  for (const auto& stmt : statements) {
    const auto* create = stmt.get_if<ast::Create>();
    const fhir::TypeDef* type = create == nullptr ? nullptr : fhir::find_resource_type(create->type.name.text);
    if (type == nullptr) continue;
    Binding binding;
    binding.kind = Binding::Kind::handle;
    binding.name = create->handle.text;
    binding.in_loop = loop_depth_ > 0;
    binding.span = create->handle.span;
    binding.announced = true;
    binding.target.kind = Target::Kind::fhir;
    binding.target.reg = new_object();
    binding.target.fhir = type;
    bindings_.push_back(std::move(binding));
  }
}

/// The register that was announced for it, which is known from here on; a new one otherwise.
std::uint16_t Body::register_of(const ast::Create& create) {
  const base::Span at = create.handle.span;
  for (std::size_t i = binding_floor_; i < bindings_.size(); ++i) {
    Binding& binding = bindings_[i];
    const bool same = binding.announced && binding.alive && binding.span.file == at.file && binding.span.begin == at.begin;
    if (!same) continue;
    binding.alive = false;
    binding.name.clear();
    return binding.target.reg;
  }
  return new_object();
}

std::string Body::text_of(base::Span span) const {
  std::string out;
  for (const char c : state_.source_text(span)) {
    const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!space) {
      out += c;
    } else if (!out.empty() && out.back() != ' ') {
      out += ' ';
    }
  }
  return out;
}

/// Turns a list that comes from `[where …]` into its first match; false when it does not.
bool Body::reduce_where(ir::Index index) {
  auto& exprs = state_.unit().exprs;
  std::vector<ir::Index> chain;
  for (;;) {
    ir::Expr& expr = exprs[index];
    chain.push_back(index);
    if (expr.op == ir::Op::filter) {
      expr.flags |= ir::kFlagFirst;
      break;
    }
    if (expr.op == ir::Op::v2_path) {
      ir::V2Path& path = state_.unit().v2_paths[expr.a];
      if (path.repetition != ir::RepKind::where) return false;
      path.list = false;
      break;
    }
    const bool passes = expr.op == ir::Op::fhir_member || expr.op == ir::Op::v2_relative ||
                        expr.op == ir::Op::of_type || expr.op == ir::Op::resolve ||
                        expr.op == ir::Op::csv_column;
    if (!passes) return false;
    if (expr.op == ir::Op::fhir_member) {
      // A list element behind the filter is still a list.
      for (ir::Index i = 0; i < expr.c; ++i) {
        if (state_.unit().fhir_names[expr.b + i].list) return false;
      }
    }
    index = expr.a;
  }
  for (const auto entry : chain) exprs[entry].flags &= static_cast<std::uint8_t>(~ir::kFlagList);
  return true;
}

Checked Body::to_scalar(Checked value) {
  if (!value.type.list || !reduce_where(value.expr)) return value;
  value.type.list = false;
  return value;
}

void Body::scalar_error(const Checked& value, base::Span span, std::string_view wanted) {
  const std::string source = text_of(span);
  auto& diagnostic =
      state_.report(ErrorCode::E0203, span,
                    std::string(wanted) + " gets a list: " + source + " is " + name_of(value.type), "a list");
  diagnostic.helps.push_back("choose one: `[1]`, `[last]`, `[where …]`, or join them: `join(\", \", " +
                             source + ")`");
}

Checked Body::check_scalar(const ast::Expr& expr, std::string_view wanted) {
  Checked value = to_scalar(check(expr));
  if (value.type.list && !value.type.is_error()) {
    scalar_error(value, expr.span, wanted);
    return failed(expr.span);
  }
  return value;
}

Destination Body::destination_of(const StaticType& type, std::string name) const {
  Destination destination;
  destination.type = type;
  destination.list = type.list;
  destination.name = std::move(name);
  destination.kind = type.is_v2()                          ? Destination::Kind::v2_view
                     : type.kind == StaticType::Kind::fhir ? Destination::Kind::fhir
                                                           : Destination::Kind::any;
  return destination;
}

void Body::finish(ir::Function& function) const {
  function.locals = locals_;
  function.objects = objects_;
}

ir::Range Body::segment_range() const {
  return {first_segment_ref_, static_cast<ir::Index>(state_.unit().segment_refs.size()) - first_segment_ref_};
}

ir::Range Body::group_range() const {
  return {first_group_ref_, static_cast<ir::Index>(state_.unit().group_refs.size()) - first_group_ref_};
}

}  // namespace kiln::mappings::detail
