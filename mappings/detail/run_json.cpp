// Reading the FHIR source: members, extensions, references (hmap.md §3).

#include "mappings/detail/conversions.h"
#include "mappings/detail/run_read.h"

namespace kiln::mappings::detail {
namespace {

constexpr std::string_view kAbsentReason = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

/// The element stands for "there is none" (hmap.md §10): FHIR data-absent reads as HL7 null.
bool says_absent(const base::JsonView& element) {
  for (const base::JsonView extension : element["extension"]) {
    if (extension["url"].text() == kAbsentReason) return true;
  }
  return false;
}

Value to_list(Arena& arena, std::vector<Value>& values, std::size_t from) {
  const std::size_t count = values.size() - from;
  if (count == 0) return {};
  const std::span<Value> kept = arena.array<Value>(count);
  std::copy(values.begin() + static_cast<std::ptrdiff_t>(from), values.end(), kept.begin());
  values.resize(from);
  return Value::of_list(kept);
}

}  // namespace

Value Run::json_value(base::JsonView view, ir::TypeId type) {
  if (!view.exists() || view.is(base::JsonKind::null_)) return {};
  if (view.is_object() && says_absent(view) && view.size() == 1)
    return Value::null().from(json_source(view.id()));
  Value value;
  value.kind = ValueKind::json;
  value.json = arena_.make<base::JsonView>(view);
  value.type = type;
  value.source = json_source(view.id());
  return value;
}

void Run::mark_json_read(const base::JsonView& view) {
  mark_node(view.id());
  for (const base::JsonView child : view) mark_json_read(child);
}

void Run::mark_node(std::uint32_t id) {
  if (read_.size() <= id >> 6) read_.resize((id >> 6) + 64);
  read_[id >> 6] |= std::uint64_t{1} << (id & 63);
}

void Run::collect_member(const ir::Expr& expr, const Value& base, std::vector<Value>& out) {
  if (base.kind == ValueKind::list) {
    for (const Value& item : base.list()) collect_member(expr, item, out);
    return;
  }
  if (base.kind == ValueKind::object) {
    const Value value = object_member(*base.object, expr);
    if (value.kind == ValueKind::list) {
      out.insert(out.end(), value.list().begin(), value.list().end());
    } else if (!value.is_absent()) {
      out.push_back(value);
    }
    return;
  }
  if (base.kind != ValueKind::json || !base.json->is_object()) return;
  for (ir::Index i = 0; i < expr.c; ++i) {
    const ir::FhirName& name = unit_->fhir_names[expr.b + i];
    const base::JsonView member = (*base.json)[text(name.name)];
    if (member.is_array()) {
      for (const base::JsonView item : member) {
        const Value value = json_value(item, name.type);
        if (!value.is_absent()) out.push_back(value);
      }
      return;
    }
    const Value value = json_value(member, name.type);
    if (!value.is_absent()) {
      out.push_back(value);
      return;
    }
    if (name.companion == ir::kNone) continue;
    const base::JsonView companion = (*base.json)[text(name.companion)];
    if (companion.is_object() && says_absent(companion)) {
      mark_json_read(companion);
      out.push_back(Value::null().from(json_source(companion.id())));
      return;
    }
  }
}

Value Run::fhir_member(const ir::Expr& expr) {
  const Value base = eval(expr.a);
  if (!base.is_value()) return base;
  const std::size_t from = scratch_.size();
  collect_member(expr, base, scratch_);
  const bool list = expr.flags & ir::kFlagList;
  if (!list && scratch_.size() == from + 1) {
    const Value value = scratch_.back();
    scratch_.pop_back();
    return value;
  }
  return to_list(arena_, scratch_, from);
}

Value Run::object_member(const OutputNode& object, const ir::Expr& expr) {
  if (object.kept) {
    OutputNode& own = new_node(arena_, nullptr);
    graft(arena_, own, object);
    own_members(arena_, own);
    return object_member(own, expr);
  }
  for (ir::Index i = 0; i < expr.c; ++i) {
    const ir::FhirName& name = unit_->fhir_names[expr.b + i];
    const std::uint16_t at = slot_of(*unit_, object.shape, text(name.name));
    if (at == ir::kNoSlot || object.slots[at] == nullptr) continue;
    const Value value = node_value(*object.slots[at], name.type);
    if (!value.is_absent()) return value;
  }
  return {};
}

Value Run::node_value(const OutputNode& node, ir::TypeId type) {
  if (is_vacant(node)) return {};
  Value value;
  switch (node.kind) {
    case NodeKind::text:
      value = Value::of_string(node.text());
      break;
    case NodeKind::token:
      value = node.text() == "true" || node.text() == "false" ? Value::of_boolean(node.text() == "true")
                                                              : Value::of_decimal(node.text());
      break;
    case NodeKind::object:
      value.kind = ValueKind::object;
      value.object = &node;
      break;
    case NodeKind::json:
      value.kind = ValueKind::json;
      value.json = node.json;
      break;
    case NodeKind::reference:
      value.kind = ValueKind::reference;
      value.created = node.target;
      break;
    case NodeKind::null_:
      value = Value::null();
      break;
    case NodeKind::list: {
      const std::span<Value> items = arena_.array<Value>(node.size);
      std::size_t count = 0;
      for (const OutputNode* item = node.first; item != nullptr; item = item->next) {
        const Value one = node_value(*item, type);
        if (!one.is_absent()) items[count++] = one;
      }
      return count == 0 ? Value() : Value::of_list(items.first(count));
    }
    default:
      return {};
  }
  value.type = type;
  value.source = node.source;
  return value;
}

Value Run::fhir_extension(const ir::Expr& expr) {
  const ir::Expr& element = unit_->exprs[expr.a];
  base::JsonView holder;
  if (element.op == ir::Op::fhir_member && element.c > 0 &&
      unit_->fhir_names[element.b].companion != ir::kNone) {
    const Value base = eval(element.a);  // a primitive keeps its extensions in its companion
    const Value& first = base.kind == ValueKind::list && base.size > 0 ? base.items[0] : base;
    if (first.kind != ValueKind::json) return {};
    for (ir::Index i = 0; i < element.c && !holder.exists(); ++i) {
      holder = (*first.json)[text(unit_->fhir_names[element.b + i].companion)];
    }
  } else {
    const Value base = eval(expr.a);
    const Value& first = base.kind == ValueKind::list && base.size > 0 ? base.items[0] : base;
    if (first.kind != ValueKind::json) return {};
    holder = *first.json;
  }
  const ir::FhirName& name = unit_->fhir_names[expr.c];
  const std::size_t from = scratch_.size();
  for (const base::JsonView extension : holder["extension"]) {
    if (extension["url"].text() != text(expr.b)) continue;
    mark_node(extension["url"].id());
    const Value value = json_value(extension[text(name.name)], name.type);
    if (!value.is_absent()) scratch_.push_back(value);
  }
  const bool list = expr.flags & ir::kFlagList;
  if (!list && scratch_.size() > from) {
    const Value value = scratch_[from];
    scratch_.resize(from);
    return value;
  }
  return to_list(arena_, scratch_, from);
}

Value Run::resolve_one(const Value& reference) {
  if (reference.kind != ValueKind::json) return {};
  const base::JsonView text_view = (*reference.json)["reference"];
  const std::string_view wanted = text_view.text();
  if (wanted.empty()) return {};
  mark_node(text_view.id());
  if (!references_indexed_) {
    references_indexed_ = true;
    for (const base::JsonView entry : json_["entry"]) {
      const base::JsonView resource = entry["resource"];
      if (!resource.is_object()) continue;
      resources_.push_back(
          {entry["fullUrl"].text(), resource["resourceType"].text(), resource["id"].text(), resource});
    }
  }
  const std::size_t slash = wanted.rfind('/');
  for (const SourceResource& resource : resources_) {
    const bool by_url = !resource.full_url.empty() && resource.full_url == wanted;
    const bool by_id = slash != std::string_view::npos && !resource.id.empty() &&
                       wanted.substr(slash + 1) == resource.id &&
                       wanted.substr(0, slash).ends_with(resource.type);
    if (by_url || by_id) return json_value(resource.view, 0);
  }
  if (wanted.starts_with('#')) {
    for (const base::JsonView contained : holder_of(text_view)["contained"]) {
      if (contained["id"].text() == wanted.substr(1)) return json_value(contained, 0);
    }
  }
  return {};
}

/// The resource that a node is in: the source itself, or the entry of a Bundle that holds the node. Nodes are
/// numbered in the order of the text.
base::JsonView Run::holder_of(const base::JsonView& node) const {
  const SourceResource* holder = nullptr;
  for (const SourceResource& resource : resources_) {
    if (resource.view.id() <= node.id()) holder = &resource;
  }
  return holder == nullptr ? json_ : holder->view;
}

Value Run::resolve(const ir::Expr& expr) {
  const Value base = eval(expr.a);
  if (base.kind != ValueKind::list) return resolve_one(base);
  const std::size_t from = scratch_.size();
  for (const Value& item : base.list()) {
    const Value value = resolve_one(item);
    if (!value.is_absent()) scratch_.push_back(value);
  }
  return to_list(arena_, scratch_, from);
}

}  // namespace kiln::mappings::detail
