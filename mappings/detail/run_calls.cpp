// Calls of fns and of the functions of the language.

#include <algorithm>

#include "engine/base/limits.h"
#include "mappings/detail/conversions.h"
#include "mappings/detail/function_text.h"
#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
namespace {

/// What a function may have to read of an argument.
std::size_t text_bytes(const Value& value) {
  if (value.kind == ValueKind::string) return value.size;
  if (value.kind != ValueKind::list) return 0;
  std::size_t bytes = 0;
  for (const Value& item : value.list())
    bytes += sizeof(Value) + (item.kind == ValueKind::string ? item.size : 0);
  return bytes;
}

}  // namespace

Frame Run::enter(const ir::Function& function, ir::Range args) {
  Frame frame = new_frame(function);
  for (ir::Index i = args.count; i < function.parameters; ++i) new (frame.locals + i) Value;
  for (ir::Index i = 0; i < args.count; ++i) new (frame.locals + i) Value(eval(unit_->args[args.first + i]));
  return frame;
}

Value Run::call_fn(const ir::Expr& expr) {
  const ir::Function& function = unit_->functions[expr.a];
  if (facts_->text_fns[expr.a] != 0) {
    if (Called called; recall(expr, called)) return called.value();
    const Frame inner = enter(function, {expr.b, expr.c});
    if (CallKey key; halt_ == Halt::none && call_key(expr.a, arguments_of(expr.a, inner), key))
      return call_texts(expr.a, inner, key).value();
    return call_entered(function, inner);
  }
  if (facts_->object_fns[expr.a] != 0) return call_made(expr);
  if (function.parameters == 1 && expr.c == 1) {
    const Value argument = eval(unit_->args[expr.b]);
    if (argument.kind == ValueKind::string && argument.flags == 0) return call_with_text(function, argument);
    return call_with(function, argument);
  }
  return call_entered(function, enter(function, {expr.b, expr.c}));
}

Value Run::call_with(const ir::Function& function, const Value& argument) {
  const Frame inner = new_frame(function);
  new (inner.locals) Value(argument);
  return call_entered(function, inner);
}

/// The arguments are in `inner`.
Value Run::call_entered(const ir::Function& function, const Frame& inner) {
  const Frame outer = frame_;
  frame_ = inner;
  const Value value = eval(function.expr);
  frame_ = outer;
  return value;
}

Value Run::argument(const Value& value, FunctionType type) {
  if (!value.is_value()) return value;
  if (type == FunctionType::list) {
    if (value.kind == ValueKind::list) return value;
    const std::span<Value> one = arena_.array<Value>(1);
    one[0] = value;
    return Value::of_list(one);
  }
  if (value.kind == ValueKind::list && type != FunctionType::any)
    return value.size == 0 ? Value() : argument(value.items[0], type);
  switch (type) {
    case FunctionType::string:
    case FunctionType::uri: {
      if (value.kind == ValueKind::string) return value;
      return Value::of_string(text_of(value)).from(value.source);
    }
    case FunctionType::integer:
      return convert_value(value, ir::Conversion::to_integer);
    case FunctionType::decimal:
      if (value.kind == ValueKind::decimal) return value;
      return convert_value(value, ir::Conversion::to_decimal);
    case FunctionType::boolean:
      return convert_value(value, ir::Conversion::to_boolean);
    case FunctionType::date: {
      const auto date = date_of(value);
      return date ? Value::of_date(arena_.make<base::PartialDate>(*date)).from(value.source)
                  : Value::bad("not a date");
    }
    case FunctionType::any:
    case FunctionType::regex:
      if (value.kind == ValueKind::hl7 || value.kind == ValueKind::json) {
        const std::string_view scalar = text_of(value);
        return scalar.empty() ? value : Value::of_string(scalar).from(value.source);
      }
      return value;
    default:
      return value;
  }
}

/// One more part of a join(); empty ones are left out.
void Run::join_part(std::string_view part, SourceRef source, Joined& joined) {
  joined.source = combine(joined.source, source);
  joined.bytes += part.size();
  if (part.empty()) return;
  ++joined.count;
  joined.size += part.size();
  join_parts_.push_back(part);
}

/// False: the call comes to nothing.
bool Run::join_value(const ir::Expr& expr, const Value& value, Joined& joined) {
  if (value.kind == ValueKind::list) {
    for (const Value& item : value.list()) {
      joined.bytes += sizeof(Value);
      join_part(argument_text(argument(item, FunctionType::any), arena_), item.source, joined);
    }
    return true;
  }
  if (value.kind == ValueKind::integer) {  // the number of a loop
    join_part(print_integer(arena_, value.integer), value.source, joined);
    return true;
  }
  const Value plain = argument(value, FunctionType::any);
  if (plain.is_bad()) {
    joined.instead = handle_bad(expr, plain, value);
    return false;
  }
  join_part(argument_text(plain, arena_), value.source, joined);
  return true;
}

/// join(), whose parts mostly are texts of the message: as call_spec() does it, without a list of arguments.
Value Run::join(const ir::Expr& expr) {
  const std::string_view separator = text(facts_->plans[unit_->args[expr.b]].index);
  const std::size_t first = join_parts_.size();  // a part may be a join itself
  Joined joined;
  joined.bytes = separator.size();
  bool made = true;
  for (ir::Index i = 1; made && i < expr.c; ++i) {
    const ir::Index part = unit_->args[expr.b + i];
    if (Text found; look(part, found)) {
      if (found.size != 0) join_part(found.view(), found.source, joined);
    } else {
      made = join_value(expr, eval_common(part), joined);
    }
  }
  made = made && charge(joined.bytes) && joined.count != 0;
  char* out = nullptr;
  if (made) {
    joined.size += (joined.count - 1) * separator.size();
    if (joined.size > base::limits::kMapOutputBytesMax) {
      joined.instead = handle_bad(expr, Value::bad("the result is too long"), Value::of_string(separator));
      made = false;
    } else {
      out = arena_.chars(joined.size);
    }
  }
  char* at = out;
  for (std::size_t i = first; made && i < join_parts_.size(); ++i) {
    if (at != out) at = append_short(at, separator);
    at = append_short(at, join_parts_[i]);
  }
  join_parts_.resize(first);
  return made ? Value::of_string({out, joined.size}).from(joined.source) : joined.instead;
}

Value Run::call_spec(const ir::Expr& expr) {
  const FunctionSpec& spec = *all_functions()[expr.a];
  const std::span<Value> values = arena_.array<Value>(expr.c);
  SourceRef source = 0;
  std::size_t given = expr.c;
  for (ir::Index i = 0; i < expr.c; ++i) {
    const std::size_t last = spec.parameters.size() - 1;
    const FunctionParameter& parameter = spec.parameters[std::min<std::size_t>(i, last)];
    const bool text = parameter.type == FunctionType::string || parameter.type == FunctionType::uri ||
                      parameter.type == FunctionType::any;
    Value value = text ? eval_text(unit_->args[expr.b + i]) : eval(unit_->args[expr.b + i]);
    if (value.kind == ValueKind::list &&
        (parameter.type == FunctionType::list || parameter.type == FunctionType::any)) {
      // Items reach a function as plain scalars.
      const std::span<Value> items = arena_.array<Value>(value.size);
      for (std::uint32_t k = 0; k < value.size; ++k) {
        items[k] = argument(value.items[k], FunctionType::any);
        source = combine(source, value.items[k].source);
      }
      value = Value::of_list(items);
    } else {
      source = combine(source, value.source);
    }
    const Value converted = argument(value, parameter.type);
    if (converted.is_bad()) return handle_bad(expr, converted, value);
    values[i] = converted.is_null() ? Value() : converted;
    if (values[i].is_absent() && !spec.takes_absent && !parameter.optional) return {};
  }
  while (given > 0 && values[given - 1].is_absent() && !spec.takes_absent) --given;  // optional ones left out
  std::size_t bytes = 0;
  for (const Value& value : values.first(given)) bytes += text_bytes(value);
  if (!charge(bytes)) return {};
  FunctionContext context{arena_, context_->received, context_->timezone};
  Value result = spec.body(values.first(given), context);
  if (result.is_bad()) return handle_bad(expr, result, values.empty() ? Value() : values[0]);
  if (result.source == 0) result.source = source;
  return result;
}

}  // namespace kiln::mappings::detail
