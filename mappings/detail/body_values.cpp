// Values on their way to a destination: the destination's type reaches through match, if, ??, each, as and
// objects to the leaves, where the conversion is chosen.

#include <algorithm>

#include "hl7/dictionary/widening.h"
#include "mappings/detail/body.h"

namespace kiln::mappings::detail {

using base::ErrorCode;

Checked Body::value(const ast::Expr& expr, const Destination& destination) {
  const base::Span span = expr.span;
  if (const auto* e = expr.get_if<ast::Match>()) return match_value(*e, destination, span);
  if (const auto* e = expr.get_if<ast::IfThenElse>()) {
    return choose_value(e->condition.get(), *e->then, e->otherwise.get(), destination, span);
  }
  if (const auto* e = expr.get_if<ast::Guarded>()) {
    return choose_value(e->condition.get(), *e->value, nullptr, destination, span);
  }
  if (const auto* e = expr.get_if<ast::Binary>(); e != nullptr && e->op == ast::BinaryOp::coalesce) {
    return coalesce_value(*e, destination, span);
  }
  if (const auto* e = expr.get_if<ast::Object>()) return object_value(*e, destination, span);
  if (const auto* e = expr.get_if<ast::Each>()) return each_value(*e, destination, span);
  if (const auto* e = expr.get_if<ast::As>()) return as_value(*e, destination, span);
  if (const auto* e = expr.get_if<ast::Using>()) {
    Destination with = destination;
    with.variant = e->variant.text;
    return value(*e->operand, with);
  }
  if (const auto* e = expr.get_if<ast::Via>()) return via(*e, destination, span);
  if (const auto* e = expr.get_if<ast::Ref>()) return reference(*e, destination, span);
  if (expr.get_if<ast::Regex>()) {
    state_.report(ErrorCode::E0501, span,
                  "a pattern stands only in `match`, after `matches` and in `replace`");
    return failed(span);
  }
  if (expr.get_if<ast::Invalid>()) return failed(span);
  return convert(check(expr), destination, span);
}

Checked Body::join_types(Checked result, const std::vector<StaticType>& types) const {
  result.type = StaticType{};
  for (const auto& type : types) {
    if (type.kind == StaticType::Kind::absent || type.is_error()) continue;
    if (result.type.is_error()) {
      result.type = type;
    } else if (result.type.kind == StaticType::Kind::fhir && type.kind == StaticType::Kind::fhir &&
               result.type.fhir != type.fhir) {
      // date and dateTime join to dateTime; the rest keeps the first.
      if (type.is_primitive("dateTime") && result.type.is_primitive("date")) result.type = type;
    }
    if (type.list) result.type.list = true;
  }
  if (result.type.is_error() && !types.empty()) result.type = types.front();
  return result;
}

Checked Body::choose_value(const ast::Expr* test, const ast::Expr& then, const ast::Expr* otherwise,
                           const Destination& destination, base::Span span) {
  const ir::Index guard = condition(*test);
  const std::size_t narrowed = narrowed_.size();
  narrow_by(*test, true);
  Checked first = value(then, destination);
  narrowed_.resize(narrowed);
  Checked second;
  if (otherwise != nullptr) {
    narrow_by(*test, false);
    second = value(*otherwise, destination);
    narrowed_.resize(narrowed);
  }
  Checked result;
  result = join_types(result, otherwise ? std::vector{first.type, second.type} : std::vector{first.type});
  const bool optional = otherwise == nullptr || first.optional || second.optional;
  return done(make(ir::Op::choose, guard, first.expr, otherwise ? second.expr : ir::kNone), result.type, span,
              false, optional);
}

Checked Body::coalesce_value(const ast::Binary& binary, const Destination& destination, base::Span span) {
  Checked left = value(*binary.left, destination), right = value(*binary.right, destination);
  if (destination.kind == Destination::Kind::any && !destination.list) {
    left = to_scalar(left);
    right = to_scalar(right);
  }
  Checked result = join_types({}, {left.type, right.type});
  return done(make(ir::Op::coalesce, left.expr, right.expr), result.type, span,
              left.constant && right.constant, left.optional && right.optional);
}

/// The datatype that OBX-5 has in an arm of literal datatype names: all of them read as the widest.
StaticType Body::narrowed_type(const std::vector<ast::Pattern>& patterns, const Checked& subject) const {
  (void)subject;
  std::string_view widest;
  for (const auto& pattern : patterns) {
    if (pattern.kind != ast::Pattern::Kind::literal) return {};
    const auto def = datatype(version_, pattern.literal.text);
    if (!def) return {};
    const std::string_view name = def->id;
    if (widest.empty() || hl7::widens(widest, name) || name == widest) {
      widest = name;
    } else if (!hl7::widens(name, widest)) {
      const bool flat = is_v2_primitive(version_, name) && is_v2_primitive(version_, widest);
      const auto common = hl7::widens(name, "CWE") && hl7::widens(widest, "CWE") ? std::string_view("CWE")
                          : name == "DT" || widest == "DT"                       ? std::string_view("DTM")
                          : flat                                                 ? std::string_view("ST")
                                                                                 : std::string_view();
      if (common.empty()) return v2_type("varies");
      widest = common;
    }
  }
  return widest.empty() ? StaticType{} : v2_type(widest);
}

void Body::check_arms(const ast::Match& match) {
  std::vector<std::pair<std::string, base::Span>> seen;
  std::optional<base::Span> any;
  for (const auto& arm : match.arms) {
    for (const auto& pattern : arm.patterns) {
      std::string key;
      if (pattern.kind == ast::Pattern::Kind::literal) key = "\"" + pattern.literal.text + "\"";
      if (pattern.kind == ast::Pattern::Kind::is_type) key = "is " + pattern.type.name.text;
      if (pattern.kind == ast::Pattern::Kind::any) key = "_";
      const auto same = std::find_if(seen.begin(), seen.end(),
                                     [&](const auto& s) { return !key.empty() && s.first == key; });
      if (any || same != seen.end()) {
        const base::Span earlier = any ? *any : same->second;
        const auto line = state_.library.sources().position(earlier.file, earlier.begin).line;
        state_
            .report(ErrorCode::W0408, pattern.span,
                    "arm " + (key.empty() ? "re\"…\"" : key) + " is unreachable: matched by line " +
                        std::to_string(line))
            .severity = base::Severity::warning;
      }
      if (pattern.kind == ast::Pattern::Kind::any) any = pattern.span;
      if (!key.empty()) seen.push_back({key, pattern.span});
    }
  }
}

Checked Body::match_value(const ast::Match& match, const Destination& destination, base::Span span) {
  Checked subject = check_scalar(*match.subject, "match");
  check_arms(match);
  const auto* path = match.subject->get_if<ast::V2Ref>();
  std::string narrows;
  if (path != nullptr && !subject.type.is_error()) {
    const auto& v2_path = state_.unit().v2_paths[state_.unit().exprs[subject.expr].a];
    if (path->segment.text == "OBX" && path->field.value == 2)
      narrows = std::to_string(v2_path.segment) + ":5";
    if (path->segment.text == "MFE" && path->field.value == 5)
      narrows = std::to_string(v2_path.segment) + ":4";
  }
  std::vector<ir::Arm> arms;
  std::vector<StaticType> types;
  std::vector<const fhir::TypeDef*> matched;
  bool optional = true;
  const std::string subject_text = text_of(match.subject->span);
  for (const auto& arm : match.arms) {
    ir::Arm lowered;
    std::vector<ir::StringId> texts;
    const std::size_t narrowed = narrowed_.size();
    std::vector<ir::Arm> extra;
    for (const auto& pattern : arm.patterns) {
      if (pattern.kind == ast::Pattern::Kind::literal) {
        texts.push_back(state_.builder.string(pattern.literal.text));
        lowered.kind = ir::ArmKind::texts;
        continue;
      }
      ir::Arm single;
      if (pattern.kind == ast::Pattern::Kind::regex) {
        single.kind = ir::ArmKind::regex;
        single.regex = state_.regex(pattern.regex, pattern.span);
      } else if (pattern.kind == ast::Pattern::Kind::is_type) {
        const StaticType type = state_.type(*file_, pattern.type);
        single.kind = ir::ArmKind::type;
        single.type = state_.builder.type(type);
        if (type.kind == StaticType::Kind::fhir) {
          if (subject.type.kind == StaticType::Kind::choice &&
              std::find(subject.type.variants.begin(), subject.type.variants.end(), type.fhir) ==
                  subject.type.variants.end()) {
            auto& diagnostic =
                state_.report(ErrorCode::E0207, pattern.span, subject_text + " is never " + name_of(type));
            diagnostic.notes.push_back("allowed: " + name_of(subject.type));
          }
          if (arm.patterns.size() == 1) narrowed_.push_back({subject_text, type, {}});
          matched.push_back(type.fhir);
        }
      }
      extra.push_back(single);
    }
    const bool any = std::any_of(arm.patterns.begin(), arm.patterns.end(),
                                 [](const auto& p) { return p.kind == ast::Pattern::Kind::any; });
    if (any && !matched.empty()) narrowed_.push_back({subject_text, {}, matched});
    if (!narrows.empty()) {
      const StaticType type = narrowed_type(arm.patterns, subject);
      if (!type.is_error()) narrowed_.push_back({narrows, type, {}});
    }
    Checked result = value(*arm.value, destination);
    narrowed_.resize(narrowed);
    types.push_back(result.type);
    if (any) optional = result.optional;
    lowered.value = result.expr;
    if (!texts.empty()) {
      lowered.texts = {static_cast<ir::Index>(state_.unit().arm_texts.size()),
                       static_cast<ir::Index>(texts.size())};
      state_.unit().arm_texts.insert(state_.unit().arm_texts.end(), texts.begin(), texts.end());
      arms.push_back(lowered);
    }
    for (auto& single : extra) {
      single.value = result.expr;
      arms.push_back(single);
    }
  }
  const auto first = static_cast<ir::Index>(state_.unit().arms.size());
  state_.unit().arms.insert(state_.unit().arms.end(), arms.begin(), arms.end());
  Checked result = join_types({}, types);
  return done(make(ir::Op::match, subject.expr, first, static_cast<ir::Index>(arms.size())), result.type,
              span, false, optional);
}

/// The type an object literal builds: the destination's, or for a choice the one complex type that has all
/// members.
const fhir::TypeDef* Body::object_type(const ast::Block& block, const Destination& destination,
                                       base::Span span) {
  if (destination.type.kind == StaticType::Kind::fhir && !destination.type.is_primitive())
    return destination.type.fhir;
  if (destination.type.kind == StaticType::Kind::fhir) {
    state_.report(ErrorCode::E0204, span,
                  "`" + destination.name + "` is " + name_of(destination.type) + ", not an object");
    return nullptr;
  }
  std::vector<const fhir::TypeDef*> fitting;
  if (destination.type.kind == StaticType::Kind::choice) {
    for (const auto* variant : destination.type.variants) {
      const bool all = !variant->is_primitive() &&
                       std::all_of(block.statements.begin(), block.statements.end(), [&](const auto& stmt) {
                         const auto* assign = stmt.template get_if<ast::Assign>();
                         return assign == nullptr ||
                                assign->target.steps.front().kind != ast::TargetStep::Kind::element ||
                                variant->element(assign->target.steps.front().name.text) != nullptr;
                       });
      if (all) fitting.push_back(variant);
    }
    if (fitting.size() == 1) return fitting.front();
  }
  auto& diagnostic = state_.report(ErrorCode::E0214, span, "the type of this object cannot be told",
                                   fitting.empty() ? "" : "several types fit");
  std::string first = fitting.empty() ? "Quantity" : std::string(fitting.front()->name());
  diagnostic.helps.push_back("say it: `{ … } as " + first + "`");
  return nullptr;
}

Checked Body::object_value(const ast::Object& object, const Destination& destination, base::Span span) {
  const fhir::TypeDef* type = object_type(*object.block, destination, span);
  if (type == nullptr) return failed(span);
  Target inner;
  inner.kind = Target::Kind::fhir;
  inner.reg = new_object();
  inner.fhir = type;
  inner.shape = state_.builder.fhir_shape(*type);
  inner.address = target_.address;
  inner.literal = true;
  inner.profile = destination.profile;
  inner.profile_path = destination.profile_path;
  const Target outer = std::exchange(target_, inner);
  ir::Object lowered;
  lowered.shape = inner.shape;
  lowered.reg = inner.reg;
  lowered.body = object_block(*object.block, inner.reg, lowered.all_constant, nullptr, destination.constants);
  const bool sure =
      lowered.all_constant || std::any_of(notes_.begin(), notes_.end(), [&](const WriteNote& note) {
        return note.reg == inner.reg && !note.constant && !note.optional;
      });
  target_ = outer;
  const auto index = static_cast<ir::Index>(state_.unit().objects.size());
  state_.unit().objects.push_back(lowered);
  Checked made = done(make(ir::Op::object, index), fhir_type(type), span, lowered.all_constant, !sure);
  return convert(std::move(made), destination, span);
}

Checked Body::each_value(const ast::Each& each, const Destination& destination, base::Span span) {
  Checked list = check(*each.operand);
  if (list.type.is_error()) return failed(span);
  const std::uint16_t slot = new_local();
  this_.push_back({slot, list.type.item()});
  Destination item = destination;
  item.list = false;
  Checked body = value(*each.body, item);
  this_.pop_back();
  StaticType type = body.type;
  type.list = list.type.list;
  if (type.list && !destination.list && destination.kind != Destination::Kind::any) {
    scalar_error(list, span, destination.name);
    return failed(span);
  }
  return done(make(ir::Op::each, list.expr, body.expr, slot), type, span, false, true);
}

Checked Body::as_value(const ast::As& as, const Destination& destination, base::Span span) {
  const StaticType type = state_.type(*file_, as.type);
  if (type.is_error()) return failed(span);
  if (destination.type.kind == StaticType::Kind::choice && type.kind == StaticType::Kind::fhir) {
    const auto& variants = destination.type.variants;
    if (std::find(variants.begin(), variants.end(), type.fhir) == variants.end()) {
      auto& diagnostic = state_.report(ErrorCode::E0207, as.type.span,
                                       destination.name + "[x] does not allow " + name_of(type));
      diagnostic.notes.push_back("allowed: " + name_of(destination.type));
      return failed(span);
    }
  }
  Destination inner = destination_of(type, destination.name.empty() ? name_of(type) : destination.name);
  inner.explicit_cast = true;
  inner.cast_span = as.type.span;
  inner.variant = destination.variant;
  inner.list = destination.list || destination.kind == Destination::Kind::any;
  // `OBX-5 += o.value as CWE`: the field takes any datatype, this one is built.
  if (type.is_v2() && destination.kind == Destination::Kind::v2 &&
      destination.type.kind == StaticType::Kind::varies) {
    inner.kind = Destination::Kind::v2;
    return value(*as.operand, inner);
  }
  if (destination.type.kind == StaticType::Kind::fhir && destination.type.fhir == type.fhir) {
    inner.element = destination.element;
    inner.required = destination.required;
  }
  return convert(value(*as.operand, inner), destination, span);
}

}  // namespace kiln::mappings::detail
