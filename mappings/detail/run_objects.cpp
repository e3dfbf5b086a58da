// Objects that were made before (object_memory.h): found instead of made, with what making them read and
// cost.

#include "mappings/detail/run_objects.h"

#include <cstring>

#include "mappings/detail/run_text.h"
#include "mappings/targets/fhir.h"

namespace kiln::mappings::detail {
namespace {

/// What the sources of an argument's parts are told from.
SourceRef base_of(const Value& argument) {
  if (argument.kind != ValueKind::hl7) return argument.source;
  return SourceRef{argument.hl7.begin} << 30;
}

/// Never 0, which stands for arguments that are one text with what they are.
std::uint64_t shape_of(const Value& argument) {
  return std::uint64_t{argument.type} << 8 | 0x80 | argument.flags;
}

}  // namespace

/// A part of the message that is short, and all of it text: no null, nothing to decode.
bool Run::is_plain_part(const Value& value) const {
  const auto level = static_cast<Hl7Level>(value.flags);
  return value.kind == ValueKind::hl7 && level != Hl7Level::segment &&
         value.hl7.end - value.hl7.begin <= kReadWindow &&
         find(value.hl7.begin, value.hl7.end, '"') == value.hl7.end;
}

/// The arguments as one text; each with its kind, type and size before it, so that no two lists of arguments
/// are one text. False: what is made depends on more than texts, or is not worth its place.
bool Run::object_key(std::uint64_t maker, std::span<const Value> arguments, ObjectCall& call) const {
  constexpr std::size_t kHeader = 4, kPartMax = 0xFF;
  enum : char { kAbsent, kText, kSentText, kDecimal, kSentDecimal, kPart };  // what an argument is
  if (!plain_ || row_loops_ != 0 || map_->target != ir::Side::fhir ||
      arguments.size() > KeptObject::kArgumentsMax)
    return false;
  call.arguments = arguments;
  call.key.maker = maker << 24;
  if (arguments.size() == 1 && arguments[0].kind == ValueKind::hl7) {
    if (!is_plain_part(arguments[0])) return false;
    call.key.maker |= shape_of(arguments[0]);
    call.key.text = {bytes_ + arguments[0].hl7.begin, arguments[0].hl7.end - arguments[0].hl7.begin};
    return true;
  }
  char* at = call.bytes;
  for (const Value& value : arguments) {
    std::string_view text;
    char kind = kAbsent;
    if (value.is_absent()) {
      // nothing but its header
    } else if (value.kind == ValueKind::string && value.flags == 0) {
      text = value.text();
      kind = value.source == 0 ? kText : kSentText;
    } else if (value.kind == ValueKind::decimal && value.flags == 0) {
      text = value.text();
      kind = value.source == 0 ? kDecimal : kSentDecimal;
    } else if (is_plain_part(value)) {
      for (const Value* other = arguments.data(); other != &value; ++other) {
        if (overlap(*other, value)) return false;  // whose the marks are could not be told
      }
      text = {bytes_ + value.hl7.begin, value.hl7.end - value.hl7.begin};
      kind = static_cast<char>(kPart + value.flags);
    } else {
      return false;
    }
    const std::size_t left = sizeof call.bytes - static_cast<std::size_t>(at - call.bytes);
    if (text.size() > kPartMax || text.size() + kHeader > left) return false;
    const char header[kHeader] = {kind, static_cast<char>(text.size()), static_cast<char>(value.type & 0xFF),
                                  static_cast<char>(value.type >> 8)};
    std::memcpy(at, header, kHeader);
    at = append_short(at + kHeader, text);
  }
  call.key.text = {call.bytes, static_cast<std::size_t>(at - call.bytes)};
  return true;
}

/// The object that `maker` made of the same arguments before. nullptr: it has to be made; end_object() has to
/// follow.
const KeptObject* Run::begin_object(std::uint64_t maker, std::uint32_t rule, std::span<const Value> arguments,
                                    ObjectCall& call) {
  call.keeps = false;
  call.key.rule = rule;
  if (!object_key(maker, arguments, call)) return nullptr;
  call.hash = ObjectMemory::hash(call.key);
  const KeptObject* const known = objects_.find(call.key, call.hash);
  if (known != nullptr) {
    // A call in which the steps end is made, so that it ends where it did without a memory.
    return known->node != nullptr && steps_ + known->steps <= steps_max_ ? known : nullptr;
  }
  call.keeps = objects_.comes_again(call.hash) && !objects_.is_full();
  if (!call.keeps) return nullptr;
  call.steps = steps_;
  call.noted = noted_;
  call.zoned = zoned_;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].kind == ValueKind::hl7) call.read[i] = take_read(arguments[i].hl7);
  }
  return nullptr;
}

/// Puts an object that is known to its place, as if it had been made.
void Run::use_object(const KeptObject& known, const ObjectCall& call, OutputNode& node) {
  std::array<SourceRef, 1 + KeptObject::kArgumentsMax> bases{};
  steps_ += known.steps;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    bases[i + 1] = base_of(call.arguments[i]);
    if (known.read[i] != 0) put_read(call.arguments[i].hl7.begin, known.read[i]);
  }
  use_kept(arena_, node, known, bases);
}

/// An object that was made, and what is kept of it.
class Run::ObjectCopy {
 public:
  ObjectCopy(Run& run, std::span<const Value> arguments) : run_(run), arguments_(arguments) {}

  /// Copies a node with all below it; nullptr where something of it cannot be told of another call.
  OutputNode* copy(const OutputNode& from, const KeptUse* use) {
    if (from.pending || from.kind == NodeKind::reference || from.kind == NodeKind::json) return nullptr;
    Arena& arena = run_.objects_.arena();
    OutputNode& to = new_node(arena, nullptr);
    to = from;
    to.parent = to.next = nullptr;
    to.kept = to.quoted = false;
    if (!place(use == nullptr ? from.source : use->source_of(from), to)) return nullptr;
    if (from.kind == NodeKind::object) return copy_members(from, from.kept ? &KeptUse::of(from) : use, to);
    if (from.kind == NodeKind::list) return copy_items(from, use, to);
    const std::string_view text = from.is_scalar() ? arena.copy(from.text()) : std::string_view();
    to.text_data = text.data();
    return &to;
  }

  /// Of `part`, a node or a record: where its source is, told from an argument. False: in none or several of
  /// them.
  template <class Part>
  bool place(SourceRef source, Part& part) const {
    part.argument = 0;
    part.source = 0;
    if (source == 0) return true;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      const Value& argument = arguments_[i];
      bool inside = argument.source == source;
      if (argument.kind == ValueKind::hl7) {
        const Hl7Ref range = kind_of(source) == SourceKind::hl7 ? hl7_range(source) : Hl7Ref{};
        inside =
            range.begin < range.end && range.begin >= argument.hl7.begin && range.end <= argument.hl7.end;
      }
      if (!inside) continue;
      if (part.argument != 0) return false;
      part.argument = static_cast<std::uint8_t>(i + 1);
      part.source = source - base_of(argument);
    }
    return part.argument != 0;
  }

 private:
  OutputNode* copy_members(const OutputNode& from, const KeptUse* use, OutputNode& to) {
    const std::span<OutputNode*> slots = run_.objects_.arena().array<OutputNode*>(from.size);
    to.slots = slots.data();
    for (std::uint32_t i = 0; i < from.size; ++i) {
      if (from.slots[i] == nullptr) continue;
      slots[i] = copy(*from.slots[i], use);
      if (slots[i] == nullptr) return nullptr;
      slots[i]->parent = &to;
    }
    return &to;
  }

  OutputNode* copy_items(const OutputNode& from, const KeptUse* use, OutputNode& to) {
    to.first = to.last = nullptr;
    for (const OutputNode* item = from.first; item != nullptr; item = item->next) {
      OutputNode* const made = copy(*item, use);
      if (made == nullptr) return nullptr;
      made->parent = &to;
      (to.last == nullptr ? to.first : to.last->next) = made;
      to.last = made;
    }
    return &to;
  }

  Run& run_;
  const std::span<const Value> arguments_;
};

/// `made`: what the call made, nullptr when nothing. It is kept when nothing was said while it was made, and
/// the zone of the message did not matter.
void Run::end_object(const ObjectCall& call, const OutputNode* made, ir::TypeId type) {
  if (!call.keeps) return;
  KeptObject object;
  object.type = type;
  for (std::size_t i = 0; i < call.arguments.size(); ++i) {
    const Value& argument = call.arguments[i];
    if (argument.kind != ValueKind::hl7) continue;
    object.read[i] = take_read(argument.hl7);
    put_read(argument.hl7.begin, call.read[i] | object.read[i]);
  }
  if (halt_ != Halt::none || is_asking()) return;
  object.steps = steps_ - call.steps;
  const bool fits = made != nullptr && made->kind == NodeKind::object && !is_vacant(*made) &&
                    noted_ == call.noted && zoned_ == call.zoned;
  if (!fits || !copy_object(*made, call.arguments, object)) object.node = nullptr;
  objects_.keep(call.key, call.hash, object);
}

/// False: it cannot be told of another call.
bool Run::copy_object(const OutputNode& made, std::span<const Value> arguments, KeptObject& object) {
  ObjectCopy copy(*this, arguments);
  object.node = copy.copy(made, nullptr);
  if (object.node == nullptr) return false;
  std::vector<LineageRecord> lineage;
  const std::string_view printed = FhirTarget::print_apart(*this, made, kept_text_, lineage);
  const std::span<KeptRecord> records = objects_.arena().array<KeptRecord>(lineage.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].rule = lineage[i].rule;
    records[i].output = lineage[i].output;
    if (!copy.place(lineage[i].source, records[i])) return false;
  }
  object.records = records;
  char* const text = objects_.arena().chars(printed.size() + PaddedText::kBlock);
  std::memset(text + printed.size(), ' ', PaddedText::kBlock);
  std::memcpy(text, printed.data(), printed.size());
  object.printed = {text, printed.size()};
  return !printed.empty();
}

/// Whether one object goes to an empty place there.
bool Run::takes_object(const Dest& dest) {
  return dest.list != nullptr || (dest.node != nullptr && dest.node->kind == NodeKind::empty);
}

/// Of an object function (purity.h) whose arguments are in `inner`.
bool Run::emit_made(const ir::Expr& expr, const Frame& inner, Dest& dest) {
  return emit_once(expr.a, arguments_of(expr.a, inner), dest,
                   [&] { return emit_entered(expr, inner, dest); });
}

/// The same as a value.
Value Run::call_made(const ir::Expr& expr) {
  const ir::Function& function = unit_->functions[expr.a];
  const Frame inner = enter(function, {expr.b, expr.c});
  if (halt_ != Halt::none) return call_entered(function, inner);
  // The value has a type of its own, which an object on its way to its place has not.
  const std::uint64_t maker = unit_->functions.size() + unit_->exprs.size() + expr.a;
  ObjectCall call;
  Value value;
  if (const KeptObject* const known = begin_object(maker, rule_, arguments_of(expr.a, inner), call)) {
    OutputNode& node = new_node(arena_, nullptr);
    use_object(*known, call, node);
    value.kind = ValueKind::object;
    value.object = &node;
    value.type = known->type;
    value.source = node.source;
    return value;
  }
  value = call_entered(function, inner);
  end_object(call, value.kind == ValueKind::object ? value.object : nullptr, value.type);
  return value;
}

}  // namespace kiln::mappings::detail
