// The switch over Op: expressions to Values.

#include <re2/re2.h>

#include <algorithm>
#include <cstring>

#include "engine/base/decimal.h"
#include "engine/base/limits.h"
#include "mappings/detail/conversions.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
Value Run::eval(ir::Index expr) {
  return eval_common(expr);
}

bool Run::over_budget() {
  constexpr std::uint64_t kStepsPerLook = 8192;
  if (steps_ <= context_->steps_max) {
    if (context_->clock->mono() <= deadline_) {
      steps_max_ = std::min(context_->steps_max, steps_ + kStepsPerLook);
      return false;
    }
    stop(Outcome::failed, "the map took too long");
  } else {
    stop(Outcome::failed, "the map took too many steps");
  }
  result_.error = base::ErrorCode::limit_exceeded;
  return true;
}

bool Run::charge_long(std::size_t bytes) {
  constexpr std::size_t kBytesPerStep = 256;
  constexpr std::size_t kMemoryMax = 8 * base::limits::kMapOutputBytesMax;
  steps_ += bytes / kBytesPerStep;
  if (steps_ > steps_max_ && over_budget()) return false;
  if (bytes <= kMemoryMax && arena_.used() <= kMemoryMax - bytes) return true;
  stop(Outcome::failed, "the map needs too much memory");
  result_.error = base::ErrorCode::limit_exceeded;
  return false;
}

Value Run::eval_node(const ir::Expr& expr) {
  using ir::Op;
  switch (expr.op) {
    case Op::omit:
      return {};
    case Op::skip:
      if (halt_ == Halt::none) halt_ = Halt::skip;
      return {};
    case Op::constant:
      return facts_->constants[expr.a];
    case Op::local:
      return frame_.locals[expr.a];
    case Op::list:
      return eval_list(expr);
    case Op::v2_path:
      return read_path(unit_->v2_paths[expr.a]);
    case Op::v2_relative:
      return read_relative(expr);
    case Op::raw:
      return raw_of(expr);
    case Op::fhir_member:
      return fhir_member(expr);
    case Op::fhir_extension:
      return fhir_extension(expr);
    case Op::item:
      return item_of(expr);
    case Op::filter:
      return filter(expr);
    case Op::each:
      return each(expr);
    case Op::of_type:
      return of_type(expr);
    case Op::resolve:
      return resolve(expr);
    case Op::csv_column:
    case Op::group_rows:
    case Op::all_rows:
      return column_of(expr);
    case Op::table_row:
    case Op::lookup:
      return lookup(expr);
    case Op::table_column:
      return table_column(expr);
    case Op::interpolate:
      return interpolate(expr);
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::concat:
      return arithmetic(expr);
    case Op::equal:
    case Op::not_equal:
    case Op::less:
    case Op::less_equal:
    case Op::greater:
    case Op::greater_equal:
    case Op::in_list:
    case Op::contains:
    case Op::matches:
    case Op::is_valued:
    case Op::is_not_valued:
    case Op::is_null:
    case Op::is_not_null:
    case Op::is_type:
    case Op::is_not_type:
    case Op::target_is_valued:
    case Op::and_:
    case Op::or_:
    case Op::not_:
      return Value::of_boolean(truth_of(expr));
    case Op::coalesce: {
      const Value first = eval(expr.a);
      return first.is_value() ? first : eval(expr.b);
    }
    case Op::choose:
    case Op::match: {
      const ir::Index branch = branch_of(expr);
      return branch == ir::kNone ? Value() : eval(branch);
    }
    case Op::call_fn:
      return call_fn(expr);
    case Op::call_builtin:
      return call_builtin(expr);
    case Op::call_datatype:
    case Op::object:
      return build_apart(expr);
    case Op::convert:
      return convert(expr);
    case Op::variant:
      return eval(expr.a);
    case Op::ref: {
      OutputNode* object = frame_.objects[expr.a];
      if (object == nullptr) {
        note(RunDiagnostic::Level::note, "elided-reference", "the resource was not created", nullptr);
        return {};
      }
      Value value;
      value.kind = ValueKind::reference;
      value.created = static_cast<const CreatedNode*>(object);
      value.type = expr.type;
      return value;
    }
    case Op::forward_ref:
      return promise(expr);
    case Op::version:
      return message_ == nullptr
                 ? Value()
                 : Value::of_string(arena_.copy(message_->header().field(12).component(1).to_text()));
    case Op::run_received: {
      const base::PartialDate date = context_->timezone != nullptr
                                         ? context_->timezone->local(context_->received)
                                         : base::PartialDate::from_wall(context_->received);
      return Value::of_date(arena_.make<base::PartialDate>(date));
    }
    case Op::run_channel:
      return context_->channel.empty() ? Value() : Value::of_string(context_->channel);
    case Op::run_tz:
      return context_->timezone == nullptr ? Value::of_string("UTC")
                                           : Value::of_string(context_->timezone->name());
    case Op::run_message:
      return message_ == nullptr ? Value() : Value::of_string({bytes_, size_});
    case Op::call_lookup:
      return call_lookup(expr);
    case Op::lookup_column:
      return lookup_column(expr);
  }
  return {};
}

/// An object that is not on its way to a place in the output.
Value Run::build_apart(const ir::Expr& expr) {
  OutputNode& node = new_node(arena_, nullptr);
  if (expr.op == ir::Op::object) {
    if (!emit_object(unit_->objects[expr.a], node)) return {};
  } else {
    const Value source = eval(expr.b);
    if (!source.is_value()) return source;
    if (halt_ != Halt::none || !build_datatype(expr, source, node)) return {};
  }
  Value value;
  value.kind = ValueKind::object;
  value.object = &node;
  value.type = expr.type;
  value.source = node.source;
  return value;
}

Value Run::eval_list(const ir::Expr& expr) {
  std::vector<Value> values;
  for (ir::Index i = 0; i < expr.b; ++i) {
    const Value value = eval(unit_->args[expr.a + i]);
    if (value.kind == ValueKind::list) {
      values.insert(values.end(), value.list().begin(), value.list().end());
    } else if (value.is_value()) {
      values.push_back(value);
    }
  }
  if (values.empty()) return {};
  const std::span<Value> kept = arena_.array<Value>(values.size());
  std::copy(values.begin(), values.end(), kept.begin());
  return Value::of_list(kept);
}

Value Run::item_of(const ir::Expr& expr) {
  const Value list = eval(expr.a);
  if (list.kind != ValueKind::list) return expr.b == 1 || expr.b == ir::kNone ? list : Value();
  if (list.size == 0) return {};
  if (expr.b == ir::kNone) return list.items[list.size - 1];
  return expr.b >= 1 && expr.b <= list.size ? list.items[expr.b - 1] : Value();
}

Value Run::filter(const ir::Expr& expr) {
  const Value list = eval(expr.a);
  if (!list.is_value()) return {};
  const std::span<const Value> items = list.kind == ValueKind::list ? list.list() : std::span(&list, 1);
  const bool first = expr.flags & ir::kFlagFirst;
  const std::span<Value> kept = arena_.array<Value>(items.size());
  std::size_t count = 0;
  for (const Value& item : items) {
    frame_.locals[expr.c] = item;
    if (truth(expr.b)) kept[count++] = item;
  }
  if (count == 0) return {};
  if (!first) return Value::of_list(kept.first(count));
  if (count > 1)
    note(RunDiagnostic::Level::note, "dropped-repetition", "only the first match is used", &kept[0]);
  return kept[0];
}

Value Run::each(const ir::Expr& expr) {
  const Value list = eval(expr.a);
  if (!list.is_value()) return list;
  const std::span<const Value> items = list.kind == ValueKind::list ? list.list() : std::span(&list, 1);
  const std::span<Value> out = arena_.array<Value>(items.size());
  std::size_t count = 0;
  for (const Value& item : items) {
    frame_.locals[expr.c] = item;
    const Value value = eval(expr.b);
    if (!value.is_absent()) out[count++] = value;
  }
  return count == 0 ? Value() : Value::of_list(out.first(count));
}

bool Run::has_type(const Value& value, ir::TypeId type) {
  if (value.type == type) return true;
  const ir::Type& wanted = unit_->types[type];
  if (value.kind == ValueKind::json && value.json->is_object()) {
    const base::JsonView resource_type = (*value.json)["resourceType"];
    return resource_type.exists() && resource_type.text() == text(wanted.name);
  }
  return false;
}

Value Run::of_type(const ir::Expr& expr) {
  const Value list = eval(expr.a);
  const auto type = static_cast<ir::TypeId>(expr.b);
  if (!list.is_value()) return {};
  if (list.kind != ValueKind::list) return has_type(list, type) ? list : Value();
  const std::span<Value> out = arena_.array<Value>(list.size);
  std::size_t count = 0;
  for (const Value& item : list.list()) {
    if (has_type(item, type)) out[count++] = item;
  }
  return count == 0 ? Value() : Value::of_list(out.first(count));
}

Value Run::interpolate(const ir::Expr& expr) {
  std::size_t size = 0;
  bool missing = false;
  SourceRef source = 0;
  std::string_view* const parts = static_cast<std::string_view*>(
      arena_.allocate(sizeof(std::string_view) * expr.b, alignof(std::string_view)));
  for (ir::Index i = 0; i < expr.b; ++i) {
    const ir::Index part = unit_->args[expr.a + i];
    Text found;
    if (const TextPlan& plan = facts_->plans[part];
        plan.from == TextFrom::constant && plan.table == ir::kNone) {
      found = literal(plan.index, 0);
      new (parts + i) std::string_view(found.view());
    } else if (look(part, found)) {
      new (parts + i) std::string_view(found.view());
    } else {
      const Value value = eval(part);
      new (parts + i) std::string_view(value.is_value() ? text_of(value) : std::string_view());
      found.size = value.is_value();
      found.source = value.source;
    }
    if (found.size == 0) {
      if (!is_asking()) return {};
      missing = true;  // the other parts may ask for rows too
      continue;
    }
    size += parts[i].size();
    source = combine(source, found.source);
  }
  if (missing) return {};
  if (!charge(size)) return {};
  char* const out = arena_.chars(size);
  char* at = out;
  for (const std::string_view part : std::span(parts, expr.b)) at = append_short(at, part);
  return Value::of_string({out, size}).from(source);
}

Value Run::arithmetic(const ir::Expr& expr) {
  const bool concat = expr.op == ir::Op::concat;
  const Value a = concat ? eval_text(expr.a) : eval(expr.a), b = concat ? eval_text(expr.b) : eval(expr.b);
  if (!a.is_value() || !b.is_value()) return {};
  const SourceRef source = combine(a.source, b.source);
  const std::string_view left = text_of(a), right = text_of(b);
  if (concat) {
    if (!charge(left.size() + right.size())) return {};
    char* const out = arena_.chars(left.size() + right.size());
    std::copy(left.begin(), left.end(), out);
    std::copy(right.begin(), right.end(), out + left.size());
    return Value::of_string({out, left.size() + right.size()}).from(source);
  }
  const auto x = base::Decimal::parse(left), y = base::Decimal::parse(right);
  if (!x || !y) return handle_bad(expr, Value::bad("not a number"), x ? b : a);
  constexpr int kDivisionDigits = 20;
  std::optional<base::Decimal> result;
  switch (expr.op) {
    case ir::Op::add:
      result = *x + *y;
      break;
    case ir::Op::subtract:
      result = *x - *y;
      break;
    case ir::Op::multiply:
      result = *x * *y;
      break;
    default:
      result = x->divide(*y, kDivisionDigits);
      break;
  }
  if (!result) return handle_bad(expr, Value::bad("division by zero"), b);
  if (unit_->types[expr.type].primitive == ir::Primitive::integer) {
    if (const auto integer = result->to_int64()) return Value::of_integer(*integer).from(source);
  }
  std::string printed = result->print();
  if (expr.op == ir::Op::divide && printed.find('.') != std::string::npos) {
    printed.erase(printed.find_last_not_of('0') + 1);
    if (printed.back() == '.') printed.pop_back();
  }
  return Value::of_decimal(arena_.copy(printed)).from(source);
}

bool Run::arm_fits(const ir::Arm& arm, const Value& subject, std::string_view subject_text) {
  switch (arm.kind) {
    case ir::ArmKind::any:
      return true;
    case ir::ArmKind::texts:
      for (ir::Index i = 0; i < arm.texts.count; ++i) {
        if (subject.is_value() && is_same(text(unit_->arm_texts[arm.texts.first + i]), subject_text))
          return true;
      }
      return false;
    case ir::ArmKind::regex:
      return subject.is_value() && charge(subject_text.size()) && fits_regex(arm.regex, subject_text);
    case ir::ArmKind::type:
      return subject.is_value() && has_type(subject, arm.type);
  }
  return false;
}

/// The expression that a `choose` or `match` comes down to; kNone: absent.
ir::Index Run::branch_of(const ir::Expr& expr) {
  if (expr.op == ir::Op::choose) return truth(expr.a) ? expr.b : expr.c;
  const bool by_text = facts_->plans[static_cast<std::size_t>(&expr - unit_->exprs.data())].by_text;
  const Value subject = by_text ? eval_text(expr.a) : eval(expr.a);
  const std::string_view subject_text = text_of(subject);
  for (ir::Index i = 0; i < expr.c; ++i) {
    const ir::Arm& arm = unit_->arms[expr.b + i];
    if (arm_fits(arm, subject, subject_text)) return arm.value;
  }
  return ir::kNone;
}

}  // namespace kiln::mappings::detail
