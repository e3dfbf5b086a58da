// Paths into a v2 message: `PID-3[where .5 == "MR"].1`, `ORDER_OBSERVATION.OBR-4`, `.4.1` (hmap.md §3).

#include <algorithm>

#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

namespace {

/// Flattens `A[1].B` into names with occurrences; false when it is something else.
bool group_chain(const ast::Expr& expr, std::vector<std::pair<ast::Name, int>>& out) {
  if (const auto* ident = expr.get_if<ast::Ident>()) {
    out.push_back({{ident->name, expr.span}, 1});
    return true;
  }
  if (const auto* member = expr.get_if<ast::Member>()) {
    if (!group_chain(*member->base, out)) return false;
    out.push_back({member->name, 1});
    return true;
  }
  if (const auto* index = expr.get_if<ast::Index>()) {
    if (!group_chain(*index->base, out) || index->selector.kind != ast::Selector::Kind::at) return false;
    const auto* number = index->selector.expr->get_if<ast::Literal>();
    if (number == nullptr || number->kind != ast::Literal::Kind::number) return false;
    out.back().second = std::atoi(number->text.c_str());
    return out.back().second > 0;
  }
  return false;
}

}  // namespace

ir::Index Body::add_segment_ref(ir::SegmentRef ref) {
  auto& refs = state_.unit().segment_refs;
  const auto same = [&](const ir::SegmentRef& other) {
    if (other.base != ref.base || other.base == ir::BaseKind::segment_loop || other.id != ref.id ||
        other.group != ref.group || other.node != ref.node || other.path.count != ref.path.count) {
      return false;
    }
    for (ir::Index i = 0; i < ref.path.count; ++i) {
      const auto& a = state_.unit().group_steps[other.path.first + i];
      const auto& b = state_.unit().group_steps[ref.path.first + i];
      if (a.node != b.node || a.occurrence != b.occurrence) return false;
    }
    return true;
  };
  for (std::size_t i = first_segment_ref_; i < refs.size(); ++i) {
    if (same(refs[i])) return static_cast<ir::Index>(i);
  }
  refs.push_back(ref);
  return static_cast<ir::Index>(refs.size() - 1);
}

ir::Range Body::group_steps(const std::vector<std::pair<int, int>>& groups) {
  auto& steps = state_.unit().group_steps;
  const ir::Range range{static_cast<ir::Index>(steps.size()), static_cast<ir::Index>(groups.size())};
  for (const auto& [node, occurrence] : groups) {
    steps.push_back({static_cast<std::uint16_t>(node), static_cast<std::uint16_t>(occurrence),
                     state_.builder.string(tree_->node(node).name)});
  }
  return range;
}

ir::Index Body::make_segment_ref(std::string_view segment, const std::vector<int>& groups, int node) {
  ir::SegmentRef ref;
  ref.id = ir::pack_segment(segment);
  ref.node = node < 0 ? ir::kNoSlot : static_cast<std::uint16_t>(node);
  std::vector<std::pair<int, int>> path;
  for (const int group : groups) path.push_back({group, 1});
  ref.path = group_steps(path);
  return add_segment_ref(ref);
}

/// `segment RXR { }`: a segment of the standard that is read in the group it stands in, as a Z segment is,
/// where the structure has no place for it.
bool Body::read_where_it_stands(std::string_view name) const {
  const auto declared = state_.library.resolve(*file_, name, DeclKind::segment);
  return declared.found != nullptr && declared.found->decl->get_if<ast::SegmentDecl>()->fields.empty();
}

/// Where a segment or group of that name is found without passing a repeating group, from the innermost
/// context out.
std::vector<StructureTree::Found> Body::reachable(std::string_view name, std::size_t& context_index) const {
  for (std::size_t i = contexts_.size(); i > context_floor_; --i) {
    const Context& context = contexts_[i - 1];
    if (context.kind == ir::BaseKind::segment_loop || tree_ == nullptr) continue;
    auto found = tree_->below(context.node, name);
    std::erase_if(found, [](const auto& f) { return f.repeating; });
    if (found.empty() && read_where_it_stands(name)) {
      context_index = i - 1;
      return {{-1, {}, false}};
    }
    if (found.empty()) continue;
    // What stands in the group itself goes before what its inner groups have: NTE of the message, not of
    // PATIENT.
    const auto own = [&](const auto& f) { return tree_->group_of(f.node) == context.node; };
    if (std::any_of(found.begin(), found.end(), own))
      std::erase_if(found, [&](const auto& f) { return !own(f); });
    context_index = i - 1;
    return found;
  }
  return {};
}

std::optional<SegmentModel> Body::segment_model(std::string_view id, base::Span span, bool quiet) {
  SegmentModel model;
  model.id = id;
  const auto declared = state_.library.resolve(*file_, id, DeclKind::segment);
  if (declared.found != nullptr && !declared.found->decl->get_if<ast::SegmentDecl>()->fields.empty()) {
    model.declared = declared.found->decl->get_if<ast::SegmentDecl>();
    return model;
  }
  model.standard = hl7::Dictionary(version_).segment(id);
  // `segment PRT {}` in a file whose maps are of a version that has no PRT yet: as the newest version has it.
  const bool any = any_version_ || declared.found != nullptr;
  for (std::size_t v = hl7::kVersionCount; !model.standard && any && v-- > 0;) {
    model.standard = hl7::Dictionary(hl7::kVersions[v]).segment(id);
  }
  if (model.standard) return model;
  if (quiet) return std::nullopt;
  auto& diagnostic = state_.report(ErrorCode::E0104, span, "unknown segment " + std::string(id),
                                   "no segment of HL7 v" + std::string(hl7::version_text(version_)));
  if (const auto first = hl7::first_version_with_segment(id)) {
    diagnostic.notes.push_back(std::string(id) + " exists from " + std::string(hl7::version_text(*first)) +
                               "; " + version_note_);
  } else if (id.starts_with('Z')) {
    diagnostic.helps.push_back("declare it: `segment " + std::string(id) + " { 3 bedCode : CWE }`");
  } else {
    std::vector<std::string> names;
    for (const auto& segment : hl7::Dictionary(version_).segments()) names.emplace_back(segment.id);
    std::vector<std::string_view> views(names.begin(), names.end());
    suggest(diagnostic, id, views);
  }
  return std::nullopt;
}

void Body::report_ambiguous(std::string_view what, std::string_view name, base::Span span,
                            const std::vector<StructureTree::Found>& all) {
  auto& diagnostic = state_.report(ErrorCode::E0105, span,
                                   std::string(what) + " is ambiguous: " + std::string(name) + " occurs in " +
                                       std::to_string(all.size()) + " groups of " + std::string(tree_->id()));
  std::string nearest;
  for (const auto& found : all) {
    const int group = tree_->group_of(found.node);
    const std::string path = group < 0 ? "(top level)" : tree_->path_of(group);
    diagnostic.notes.push_back(path + "." + std::string(name));
    if (nearest.empty() && group >= 0) nearest = std::string(tree_->node(group).name);
  }
  diagnostic.helps.push_back("enter one with `for each " + nearest + " {`, or name the path: `" + nearest +
                             "." + std::string(what) + "`");
}

void Body::report_misplaced(std::string_view name, base::Span span,
                            const std::vector<StructureTree::Found>& all) {
  auto& diagnostic = state_.report(
      ErrorCode::E0103, span,
      "segment " + std::string(name) + " cannot occur in " + std::string(tree_->id()) + " at this point");
  if (all.empty()) {
    diagnostic.label = std::string(tree_->id()) + " has no " + std::string(name);
    diagnostic.notes.push_back(std::string(tree_->id()) + " of HL7 v" +
                               std::string(hl7::version_text(version_)) + " does not contain " +
                               std::string(name) + " in any group");
    return;
  }
  for (const auto& found : all) {
    const int group = tree_->group_of(found.node);
    if (group < 0) continue;
    diagnostic.label = std::string(name) + " lives in " + tree_->path_of(group);
    int loop = group;
    for (int at = group; at >= 0; at = tree_->node(at).parent) {
      if (tree_->node(at).kind == hl7::NodeKind::group && tree_->node(at).repeats) {
        loop = at;
        break;
      }
    }
    diagnostic.helps.push_back("write `for each " + std::string(tree_->node(loop).name) + " {`");
    return;
  }
}

ir::Index Body::find_in_contexts(std::string_view segment, base::Span span) {
  for (std::size_t i = contexts_.size(); i > context_floor_; --i) {
    const Context& context = contexts_[i - 1];
    if (context.kind == ir::BaseKind::segment_loop && context.name == segment) return context.segment;
  }
  if (tree_ == nullptr || contexts_.size() == context_floor_) {
    state_.report(ErrorCode::E0103, span, "segment " + std::string(segment) + " is not in scope here",
                  "no HL7 message or parameter holds it");
    return ir::kNone;
  }
  std::size_t at = 0;
  auto found = reachable(segment, at);
  const auto all = tree_->below(-1, segment);
  if (found.empty() && (all.empty() && segment.starts_with('Z'))) {
    // A Z segment stands anywhere: the first one inside the innermost group instance.
    at = contexts_.size() - 1;
    while (at > context_floor_ && contexts_[at].kind == ir::BaseKind::segment_loop) --at;
    found.push_back({-1, {}, false});
  }
  if (found.empty()) {
    if (all.size() > 1) {
      report_ambiguous(segment, segment, span, all);
    } else {
      report_misplaced(segment, span, all);
    }
    return ir::kNone;
  }
  const int group = found.front().node < 0 ? -1 : tree_->group_of(found.front().node);
  for (const auto& other : found) {
    if (other.node >= 0 && tree_->group_of(other.node) != group) {
      report_ambiguous(segment, segment, span, all);
      return ir::kNone;
    }
  }
  const bool several = found.size() > 1;
  if (found.front().node >= 0 && (several || tree_->node(found.front().node).repeats)) {
    auto& diagnostic = state_.report(ErrorCode::E0103, span,
                                     "segment " + std::string(segment) + " repeats in " +
                                         (group < 0 ? std::string(tree_->id()) : tree_->path_of(group)),
                                     "which one?");
    diagnostic.helps.push_back("write `for each " + std::string(segment) + " {`");
    return ir::kNone;
  }
  ir::SegmentRef ref;
  const Context& context = contexts_[at];
  ref.base = context.kind;
  ref.group = context.group;
  ref.id = ir::pack_segment(segment);
  ref.node = found.front().node < 0 ? ir::kNoSlot : static_cast<std::uint16_t>(found.front().node);
  std::vector<std::pair<int, int>> path;
  for (const int entered : found.front().groups) path.push_back({entered, 1});
  ref.path = group_steps(path);
  return add_segment_ref(ref);
}

/// `ORDER_OBSERVATION.OBR-4`, `PATIENT_RESULT[1].PATIENT.PID-3`.
ir::Index Body::segment_of_path(const ast::V2Ref& ref, std::vector<std::pair<ast::Name, int>> groups) {
  if (!groups.empty() && groups.front().first.text == message_name_) groups.erase(groups.begin());
  const std::string segment = ref.segment.text;
  if (groups.empty()) return find_in_contexts(segment, ref.segment.span);
  if (tree_ == nullptr) return find_in_contexts(segment, ref.segment.span);
  // The innermost running iteration of the first group, else the group below the innermost context that has
  // it.
  ir::SegmentRef made;
  int from = -1;
  std::size_t next = 0;
  std::vector<std::pair<int, int>> path;
  bool anchored = false;
  for (std::size_t i = contexts_.size(); i > context_floor_ && !anchored; --i) {
    const Context& context = contexts_[i - 1];
    if (context.kind == ir::BaseKind::segment_loop) continue;
    if (context.node >= 0 && tree_->node(context.node).name == groups.front().first.text) {
      anchored = true;
      next = 1;
    } else if (!tree_->below(context.node, groups.front().first.text).empty()) {
      anchored = true;
    }
    made.base = context.kind;
    made.group = context.group;
    from = context.node;
  }
  for (; next < groups.size(); ++next) {
    const auto found = tree_->below(from, groups[next].first.text);
    if (found.empty() || tree_->node(found.front().node).kind != hl7::NodeKind::group) {
      state_.report(ErrorCode::E0109, groups[next].first.span,
                    std::string(tree_->id()) + " has no group " + groups[next].first.text + " here");
      return ir::kNone;
    }
    for (const int entered : found.front().groups) path.push_back({entered, 1});
    path.push_back({found.front().node, groups[next].second});
    from = found.front().node;
  }
  const auto found = tree_->below(from, segment);
  if (found.empty()) {
    report_misplaced(segment, ref.segment.span, tree_->below(-1, segment));
    return ir::kNone;
  }
  for (const int entered : found.front().groups) path.push_back({entered, 1});
  made.id = ir::pack_segment(segment);
  made.node = static_cast<std::uint16_t>(found.front().node);
  made.path = group_steps(path);
  return add_segment_ref(made);
}

ir::Index Body::find_segment(const ast::V2Ref& ref) {
  if (!ref.base) return find_in_contexts(ref.segment.text, ref.field.span);
  std::vector<std::pair<ast::Name, int>> groups;
  if (!group_chain(*ref.base, groups)) {
    state_.report(ErrorCode::E0109, ref.base->span, "a group path is expected before ." + ref.segment.text);
    return ir::kNone;
  }
  return segment_of_path(ref, std::move(groups));
}

void Body::report_field(const SegmentModel& model, int field, base::Span span) {
  const std::string id(model.id), number = std::to_string(field);
  const std::string version(hl7::version_text(version_));
  auto& diagnostic = state_.report(
      ErrorCode::E0101, span,
      "segment " + id + " has no field " + number + (model.declared ? "" : " in HL7 v" + version));
  const int last = model.last_field();
  const auto last_field = model.field(last);
  diagnostic.label = id + " ends at " + id + "-" + std::to_string(last) +
                     (last_field ? " (" + std::string(last_field->name) + ")" : "") +
                     (model.declared ? "" : " in " + version);
  if (model.declared) return;
  const auto first = hl7::first_version_with_field(id, static_cast<std::size_t>(field));
  if (!first) return;
  const auto def = hl7::Dictionary(*first).segment(id)->field(static_cast<std::size_t>(field));
  const std::string from(hl7::version_text(*first));
  diagnostic.notes.push_back(id + "-" + number + " \"" + std::string(def->name) + "\" exists from " + from +
                             "; " + version_note_);
  std::string instead;
  for (int i = 1; i <= last; ++i) {
    const auto candidate = model.field(i);
    if (candidate->datatype != def->datatype || is_v2_primitive(version_, def->datatype)) continue;
    instead +=
        (instead.empty() ? "" : " / ") + id + "-" + std::to_string(i) + (candidate->repeats ? "[*]" : "");
  }
  diagnostic.helps.push_back((instead.empty() ? "" : "use " + instead + ", ") + "declare `hl7 " +
                             (tree_ ? std::string(tree_->id()) : id) + " " + from +
                             "`, or guard it: `when version >= " + from + " { … }`");
}

void Body::report_component(std::string_view name, int position, base::Span span) {
  auto& diagnostic = state_.report(ErrorCode::E0102, span,
                                   std::string(name) + " has no component " + std::to_string(position));
  const auto def = datatype(version_, name);
  if (!def || def->primitive()) {
    diagnostic.notes.push_back(std::string(name) + " has no components");
    return;
  }
  const auto line = [&](std::size_t n) {
    const auto part = def->component(n);
    return std::string(name) + "." + std::to_string(n) + (part ? " " + std::string(part->name) : "");
  };
  diagnostic.label = "the last is " + std::string(name) + "." + std::to_string(def->components.size());
  diagnostic.notes.push_back(line(1) + " … " + line(def->components.size()));
}

std::optional<StaticType> Body::component_type(const StaticType& type, int position, base::Span span) {
  if (type.kind == StaticType::Kind::error) return StaticType{};
  if (type.kind == StaticType::Kind::varies) return v2_type(position == 1 ? "varies" : "ST");
  const auto found =
      any_version_ ? component_in_any(type.name, position) : detail::component(version_, type.name, position);
  if (found) return v2_type(found->datatype);
  // A plain value is its own first component.
  if (position == 1 && is_v2_primitive(version_, type.name)) return type;
  report_component(type.name, position, span);
  return std::nullopt;
}

Checked Body::repetitions(ir::V2Path path, StaticType type, const ast::Selector& selector, bool repeats,
                          bool want_list, base::Span span) {
  switch (selector.kind) {
    case ast::Selector::Kind::all:
      path.repetition = ir::RepKind::all;
      path.list = true;
      break;
    case ast::Selector::Kind::last:
      path.repetition = ir::RepKind::last;
      break;
    case ast::Selector::Kind::where:
      path.list = true;
      path.repetition = ir::RepKind::where;
      break;
    case ast::Selector::Kind::at: {
      const auto* number = selector.expr->get_if<ast::Literal>();
      if (number == nullptr || number->kind != ast::Literal::Kind::number ||
          std::atoi(number->text.c_str()) < 1) {
        state_.report(ErrorCode::E0501, selector.span, "the repetition of a field is a number from 1");
        return failed(span);
      }
      path.repetition = ir::RepKind::index;
      path.rep = static_cast<std::uint16_t>(std::min(std::atoi(number->text.c_str()), 65535));
      break;
    }
    case ast::Selector::Kind::none:
      path.repetition = !repeats ? ir::RepKind::whole : want_list ? ir::RepKind::all : ir::RepKind::first;
      path.list = repeats && want_list;
      break;
  }
  type.list = path.list;
  const auto index = static_cast<ir::Index>(state_.unit().v2_paths.size());
  state_.unit().v2_paths.push_back(path);
  return done(make(ir::Op::v2_path, index), type, span);
}

Checked Body::v2_ref(const ast::V2Ref& ref, base::Span span, bool want_list) {
  const auto model = segment_model(ref.segment.text, ref.segment.span, false);
  if (!model) return failed(span);
  const ir::Index segment = find_segment(ref);
  if (segment == ir::kNone) return failed(span);
  const auto field = model->field(ref.field.value);
  if (!field) {
    report_field(*model, ref.field.value, ref.field.span);
    return failed(span);
  }
  // A shipped fragment reads what old senders fill, and who includes it cannot change it.
  if (field->usage == 'W' && !any_version_ && !file_->shipped) {
    auto& diagnostic = state_.report(ErrorCode::W0106, ref.field.span,
                                     ref.segment.text + "-" + std::to_string(ref.field.value) +
                                         " is withdrawn in HL7 v" + std::string(hl7::version_text(version_)));
    diagnostic.severity = base::Severity::warning;
  }
  StaticType type = v2_type(field->datatype);
  const std::string key = std::to_string(segment) + ":" + std::to_string(ref.field.value);
  for (auto it = narrowed_.rbegin(); it != narrowed_.rend(); ++it) {
    if (it->key != key) continue;
    type = it->type;
    break;
  }
  ir::V2Path path;
  path.segment = segment;
  path.field = static_cast<std::uint16_t>(ref.field.value);
  path.text = state_.builder.string(text_of(span));
  const StaticType repetition_type = type;
  if (ref.component.value > 0) {
    const auto component = component_type(type, ref.component.value, ref.component.span);
    if (!component) return failed(span);
    type = *component;
    path.component = static_cast<std::uint8_t>(std::min(ref.component.value, 255));
  }
  if (ref.subcomponent.value > 0) {
    const auto component = component_type(type, ref.subcomponent.value, ref.subcomponent.span);
    if (!component) return failed(span);
    type = *component;
    path.subcomponent = static_cast<std::uint8_t>(std::min(ref.subcomponent.value, 255));
  }
  path.type = state_.builder.type(type);
  if (ref.selector.kind == ast::Selector::Kind::where) {
    path.where_slot = new_local();
    this_.push_back({path.where_slot, repetition_type});
    path.where = condition(*ref.selector.expr);
    this_.pop_back();
  }
  if (strict_ && field->repeats && !want_list && ref.selector.kind == ast::Selector::Kind::none) {
    const std::string name = ref.segment.text + "-" + std::to_string(ref.field.value);
    auto& diagnostic =
        state_.report(ErrorCode::E0107, span, name + " repeats; a scalar is needed here (strict)");
    const std::string tail = ref.component.value > 0 ? "." + std::to_string(ref.component.value) : "";
    diagnostic.helps.push_back("`" + name + "[1]" + tail + "` or `" + name + "[where …]" + tail + "`");
  }
  Checked result = repetitions(path, type, ref.selector, field->repeats, want_list, span);
  result.optional =
      !(field->required || known_valued(ref.segment.text + "-" + std::to_string(ref.field.value)));
  return result;
}

Checked Body::component_of(Checked base, int position, base::Span span, base::Span base_span) {
  (void)base_span;
  const auto type = component_type(base.type.item(), position, span);
  if (!type) return failed(span);
  StaticType result = *type;
  result.list = base.type.list;
  // `.4.1` is one step of two levels.
  const ir::Expr inner = state_.unit().exprs[base.expr];
  if (inner.op == ir::Op::v2_relative && inner.c == 0) {
    return done(make(ir::Op::v2_relative, inner.a, inner.b, static_cast<ir::Index>(position)), result, span);
  }
  return done(make(ir::Op::v2_relative, base.expr, static_cast<ir::Index>(position), 0), result, span);
}

Checked Body::component(const ast::Component& component, base::Span span) {
  Checked base =
      component.base->get_if<ast::This>() ? this_value(component.base->span) : check(*component.base);
  if (base.type.is_error()) return failed(span);
  if (!base.type.is_v2()) {
    state_.report(ErrorCode::E0102, component.number.span, name_of(base.type) + " has no components",
                  "only HL7 v2 values have numbered components");
    return failed(span);
  }
  return component_of(std::move(base), component.number.value, component.number.span, component.base->span);
}

}  // namespace kiln::mappings::detail
