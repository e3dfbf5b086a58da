// Calls of fns whose result is known from a call before, with what these read and said (call_memory.h).

#include <cstring>

#include "mappings/detail/run_text.h"

namespace kiln::mappings::detail {
namespace {

// Added to the number of what is called. Whether an argument comes from the input belongs to the key, since
// the source of a result is told from it.
constexpr std::uint32_t kOfSeveral = 1u << 31, kFromNoInput = 1u << 29;

}  // namespace

/// The marks of what was read of `range`, which is at most kReadWindow bytes; they are taken away.
std::uint64_t Run::take_read(Hl7Ref range) {
  const std::uint32_t word = range.begin >> 6, shift = range.begin & 63, size = range.end - range.begin;
  const std::uint64_t inside = size == kReadWindow ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
  std::uint64_t taken = read_[word] >> shift & inside;
  read_[word] &= ~(inside << shift);
  if (shift == 0 || word + 1 >= read_.size()) return taken;
  taken |= read_[word + 1] << (64 - shift) & inside;
  read_[word + 1] &= ~(inside >> (64 - shift));
  return taken;
}

void Run::put_read(std::uint32_t begin, std::uint64_t marks) {
  const std::uint32_t word = begin >> 6, shift = begin & 63;
  read_[word] |= marks << shift;
  if (shift != 0 && word + 1 < read_.size()) read_[word + 1] |= marks >> (64 - shift);
}

/// Of one argument, a text.
CallKey Run::text_key(std::uint32_t function, const Value& argument) {
  CallKey key;
  key.function = function | (argument.source == 0 ? kFromNoInput : 0);
  key.text = argument.text();
  key.arguments = {&argument, 1};
  return key;
}

/// The arguments as one text; each with its kind and size before it, so that no two lists of arguments are
/// one text. False: the result depends on more than texts, or is not worth its place.
bool Run::call_key(std::uint32_t function, std::span<const Value> arguments, CallKey& key) const {
  constexpr std::size_t kPartMax = 0xFF;
  if (arguments.size() > CallMemory::kArgumentsMax) return false;
  if (arguments.size() == 1 && arguments[0].kind == ValueKind::string && arguments[0].flags == 0) {
    key.function = function | (arguments[0].source == 0 ? kFromNoInput : 0);
    key.text = arguments[0].text();
    key.arguments = arguments;
    return true;
  }
  key.arguments = arguments;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) {
      if (overlap(arguments[i], arguments[k])) return false;  // whose the marks are could not be told
    }
  }
  char* at = key.bytes;
  for (const Value& value : key.arguments) {
    std::string_view text;
    std::uint8_t kind = 0;
    if (value.kind == ValueKind::string && value.flags == 0) {
      text = value.text();
      kind = value.source == 0 ? 1 : 2;
    } else if (value.kind == ValueKind::hl7 && plain_) {
      text = {bytes_ + value.hl7.begin, value.hl7.end - value.hl7.begin};
      kind = static_cast<std::uint8_t>(3 + value.flags);
      const bool part = static_cast<Hl7Level>(value.flags) != Hl7Level::segment && text.size() <= kReadWindow;
      if (!part || std::memchr(text.data(), '"', text.size()) != nullptr) return false;
    } else if (!value.is_absent()) {
      return false;
    }
    const std::size_t left = sizeof key.bytes - static_cast<std::size_t>(at - key.bytes);
    if (text.size() > kPartMax || text.size() + 2 > left) return false;
    *at++ = static_cast<char>(kind);
    *at++ = static_cast<char>(text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    at += text.size();
  }
  key.function = function | kOfSeveral;
  key.text = {key.bytes, static_cast<std::size_t>(at - key.bytes)};
  return true;
}

SourceRef Run::source_of(const CallSource& source, std::span<const Value> arguments) {
  if (source.argument == 0) return 0;
  const Value& from = arguments[source.argument - 1u];
  if (source.level == CallSource::kWhole) return from.source;
  const std::uint32_t begin = from.hl7.begin + source.begin;
  return hl7_source({begin, begin + source.size}, static_cast<Hl7Level>(source.level));
}

/// Which argument, or part of one, `source` is of. False: none, or several.
bool Run::find_source(SourceRef source, std::span<const Value> arguments, CallSource& found) {
  found = {};
  if (source == 0) return true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Value& argument = arguments[i];
    const bool whole = argument.source == source;
    bool part = false;
    if (!whole && argument.kind == ValueKind::hl7 && kind_of(source) == SourceKind::hl7) {
      const Hl7Ref range = hl7_range(source);
      part = range.begin >= argument.hl7.begin && range.end <= argument.hl7.end;
    }
    if (!whole && !part) continue;
    if (found.argument != 0) return false;
    found.argument = static_cast<std::uint8_t>(i + 1);
    if (whole) continue;
    found.level = static_cast<std::uint8_t>(hl7_level(source));
    found.begin = static_cast<std::uint8_t>(hl7_range(source).begin - argument.hl7.begin);
    found.size = static_cast<std::uint8_t>(hl7_range(source).end - hl7_range(source).begin);
  }
  return found.argument != 0;
}

/// What a call says is said again with its result: at most one note of one text.
void Recording::add(RunDiagnostic::Level level, std::string_view code, std::string_view what,
                    const Value* value, std::uint32_t said_by, Arena& arena) {
  const bool text = value == nullptr || (value->kind == ValueKind::string && value->flags == 0);
  fits = fits && !note.said && text && said_by == rule;
  if (!fits) return;
  note = {true, value != nullptr, level, {}, code, arena.copy(what), {}};
  if (value == nullptr) return;
  note.value = value->text();
  source = value->source;
}

Called Run::recalled(const CallMemory::Call& call, std::span<const Value> arguments) {
  steps_ += call.steps;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (call.read[i] != 0) put_read(arguments[i].hl7.begin, call.read[i]);
  }
  if (call.note.said) {
    const Value value = Value::of_string(call.note.value).from(source_of(call.note.source, arguments));
    note(call.note.level, call.note.code, call.note.what, call.note.has_value ? &value : nullptr);
  }
  Called called;
  called.known = true;
  if (!call.absent) {
    called.text = {call.result.data(), static_cast<std::uint32_t>(call.result.size()), call.quoted,
                   source_of(call.source, arguments)};
  }
  return called;
}

/// A call of a fn of one text that a look finds, when it was made before: without a frame, and with the steps
/// of the long way. False: nothing was done.
bool Run::recall(const ir::Expr& call, Called& called) {
  const ir::Function& function = unit_->functions[call.a];
  if (call.c != 1 || function.parameters != 1 || facts_->text_fns[call.a] == 0) return false;
  const ir::Index part = unit_->args[call.b];
  const std::uint64_t steps = steps_;
  if (Text found; facts_->plans[part].exact && look(part, found) && found.size != 0) {
    const Value argument = Value::of_string(found.view()).from(found.source);
    const CallKey key = text_key(call.a, argument);
    const CallMemory::Call* const known = pure_calls_.find(key.function, key.text);
    const bool column = kind_of(argument.source) == SourceKind::csv;  // see remembered()
    if (known != nullptr && !column && ++steps_ + known->steps <= steps_max_) {
      called = recalled(*known, key.arguments);
      return true;
    }
  }
  steps_ = steps;
  return false;
}

/// What the call that `key` names gives: the same again as the last time, with as many steps, marks and
/// words.
template <class Call>
Called Run::remembered(CallMemory& memory, const CallKey& key, const Call& call) {
  for (const Value& argument : key.arguments) {
    if (kind_of(argument.source) != SourceKind::csv) continue;
    Called called;  // its column says how a date is written: the text alone does not tell
    called.result = call();
    return called;
  }
  if (&memory == &run_calls_) ++zoned_;  // it may remember a time
  const CallMemory::Call* const known = memory.find(key.function, key.text);
  // A call in which the steps end is made, so that it ends where it did without a memory.
  if (known != nullptr && steps_ + known->steps <= steps_max_) return recalled(*known, key.arguments);
  const bool only_now = &memory == &pure_calls_ && !pure_calls_.comes_again(key.function, key.text);
  if (known != nullptr || only_now) {
    Called called;
    called.result = call();
    return called;
  }
  CallMemory::Call made;
  made.function = key.function;
  made.key = key.text;
  std::array<std::uint64_t, CallMemory::kArgumentsMax> before{};
  const auto each_part = [&](const auto& visit) {
    for (std::size_t i = 0; i < key.arguments.size(); ++i) {
      if (key.arguments[i].kind == ValueKind::hl7) visit(i, key.arguments[i].hl7);
    }
  };
  each_part([&](std::size_t i, Hl7Ref range) { before[i] = take_read(range); });
  Recording recording{recording_, rule_};
  recording_ = &recording;
  const std::uint64_t steps = steps_;
  Called called;
  called.result = call();
  recording_ = recording.outer;
  each_part([&](std::size_t i, Hl7Ref range) { made.read[i] = take_read(range); });
  each_part([&](std::size_t i, Hl7Ref range) { put_read(range.begin, before[i] | made.read[i]); });
  const Value& result = called.result;
  const bool text = result.is_absent() || (result.kind == ValueKind::string && result.flags == 0);
  if (!text || !recording.fits || halt_ != Halt::none || is_asking()) return called;
  if (!find_source(result.source, key.arguments, made.source) ||
      !find_source(recording.source, key.arguments, recording.note.source))
    return called;
  made.absent = result.is_absent();
  made.steps = steps_ - steps;
  made.result = result.text();
  made.note = recording.note;
  memory.keep(made);
  return called;
}

/// A pure fn is remembered from message to message, any other within one.
Value Run::call_with_text(const ir::Function& function, const Value& argument) {
  const auto index = static_cast<std::uint32_t>(&function - unit_->functions.data());
  CallMemory& memory = facts_->pure[index] != 0 ? pure_calls_ : run_calls_;
  const CallKey key = text_key(index, argument);
  return remembered(memory, key, [&] { return call_with(function, argument); }).value();
}

/// A call of a fn of texts (purity.h), from message to message.
Called Run::call_texts(ir::Index function, const Frame& inner, const CallKey& key) {
  return remembered(pure_calls_, key, [&] { return call_entered(unit_->functions[function], inner); });
}

/// A function that costs much and has one argument that is no constant is remembered like a pure fn.
Value Run::call_builtin(const ir::Expr& expr) {
  const auto index = static_cast<std::uint32_t>(&expr - unit_->exprs.data());
  if (facts_->plans[index].joins) return join(expr);
  if (!facts_->plans[index].costly) return call_spec(expr);
  const Value argument = eval_text(unit_->args[expr.b]);
  if (argument.kind != ValueKind::string || argument.flags != 0 || argument.size == 0) return call_spec(expr);
  const auto functions = static_cast<std::uint32_t>(unit_->functions.size());
  const CallKey key = text_key(functions + index, argument);
  return remembered(pure_calls_, key, [&] { return call_spec(expr); }).value();
}

}  // namespace kiln::mappings::detail
