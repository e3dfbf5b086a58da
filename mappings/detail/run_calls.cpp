// Calls of fns and of the functions of the language.

#include <algorithm>

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
  if (function.parameters == 1 && expr.c == 1) {
    const Value argument = eval(unit_->args[expr.b]);
    if (argument.kind == ValueKind::string && argument.flags == 0) return call_with_text(function, argument);
    return call_with(function, argument);
  }
  const Frame inner = enter(function, {expr.b, expr.c});
  const Frame outer = frame_;
  frame_ = inner;
  const Value value = eval(function.expr);
  frame_ = outer;
  return value;
}

Value Run::call_with(const ir::Function& function, const Value& argument) {
  const Frame inner = new_frame(function);
  new (inner.locals) Value(argument);
  const Frame outer = frame_;
  frame_ = inner;
  const Value value = eval(function.expr);
  frame_ = outer;
  return value;
}

/// What the call of `argument`, a text, gives: the same again as the last time, and as many steps, unless
/// that had something to say. `index` names what is called.
template <class Call>
Value Run::remembered(CallMemory& memory, std::uint32_t index, const Value& argument, const Call& call) {
  if (const CallMemory::Call* known = memory.find(index, argument.text())) {
    steps_ += known->steps;
    if (known->absent) return {};
    const Value result = Value::of_string(arena_.copy(known->result));
    return known->from_argument ? result.from(argument.source) : result;
  }
  const std::uint64_t noted = noted_, steps = steps_;
  const Value result = call();
  const bool text = result.is_absent() || (result.kind == ValueKind::string && result.flags == 0);
  const bool from_argument = result.source == argument.source && result.source != 0;
  if (text && (from_argument || result.source == 0) && noted == noted_ && halt_ == Halt::none && !is_asking())
    memory.keep({index, result.is_absent(), from_argument, steps_ - steps, argument.text(), result.text()});
  return result;
}

/// A pure fn is remembered from message to message, any other within one.
Value Run::call_with_text(const ir::Function& function, const Value& argument) {
  const auto index = static_cast<std::uint32_t>(&function - unit_->functions.data());
  CallMemory& memory = facts_->pure[index] != 0 ? pure_calls_ : run_calls_;
  return remembered(memory, index, argument, [&] { return call_with(function, argument); });
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

/// A function that costs much and has one argument that is no constant is remembered like a pure fn.
Value Run::call_builtin(const ir::Expr& expr) {
  const auto index = static_cast<std::uint32_t>(&expr - unit_->exprs.data());
  if (!facts_->plans[index].costly) return call_spec(expr);
  const Value argument = eval_text(unit_->args[expr.b]);
  if (argument.kind != ValueKind::string || argument.flags != 0 || argument.size == 0) return call_spec(expr);
  const auto functions = static_cast<std::uint32_t>(unit_->functions.size());
  return remembered(pure_calls_, functions + index, argument, [&] { return call_spec(expr); });
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
