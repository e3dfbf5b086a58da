// Reading the HL7 v2 source: segments, fields, repetitions, components by byte ranges of the message.

#include <algorithm>
#include <bit>
#include <cstring>

#include "hl7/escape.h"
#include "mappings/detail/run.h"

namespace kiln::mappings::detail {
namespace {

/// Index of the first byte `c` of the word in memory order, 8 when there is none. `c` is not zero.
inline std::uint32_t first_of(std::uint64_t word, char c) {
  constexpr std::uint64_t kOnes = 0x0101010101010101u, kHighs = 0x8080808080808080u;
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t differs = word ^ (kOnes * static_cast<unsigned char>(c));
  return static_cast<std::uint32_t>(std::countr_zero((differs - kOnes) & ~differs & kHighs)) / 8;
}

/// Offset of `c` in [begin, end), or end. Parts of a field are short: words beat memchr and a loop over
/// bytes.
inline std::uint32_t find(const char* bytes, std::uint32_t begin, std::uint32_t end, char c) {
  if (c == '\0' || begin >= end) return end;
  std::uint64_t word = 0;
  for (; end - begin >= 8; begin += 8) {
    std::memcpy(&word, bytes + begin, 8);
    if (const std::uint32_t at = first_of(word, c); at < 8) return begin + at;
  }
  const std::uint32_t left = end - begin;
  if (left == 0) return end;
  if (end < 8) {
    while (begin < end && bytes[begin] != c) ++begin;
    return begin;
  }
  std::memcpy(&word, bytes + end - 8, 8);  // the rest with what stands before it, which is shifted out
  return begin + std::min(first_of(word >> (8 * (8 - left)), c), left);
}

constexpr std::int32_t kUnknown = -2;
constexpr std::int32_t kMissing = -1;

}  // namespace

std::int32_t Run::segment_of(ir::Index ref) {
  std::int32_t& known = segment_registers_[ref - segment_base_];
  if (known == kUnknown) known = find_segment(unit_->segment_refs[ref]);
  return known;
}

const Run::SegmentInfo& Run::open_segment(std::uint32_t segment) {
  SegmentInfo& found = segments_[segment];
  found.opened = true;
  const hl7::SegmentView view = message_->segment(segment);
  found.marks = view.separators();
  found.header =
      found.marks.size() > 1 && (view.id() == hl7::segment_id("MSH") || view.id() == hl7::segment_id("FHS") ||
                                 view.id() == hl7::segment_id("BHS"));
  // Header fields count from the separator itself, which is field 1.
  std::uint64_t valued = found.header ? 1 : 0;
  const std::uint32_t shift = found.header ? 1 : 0;
  const std::size_t fields = found.marks.empty() ? 0 : found.marks.size() - 1;
  for (std::size_t i = 0; i < fields && i + shift < 64; ++i) {
    if (found.marks[i + 1] > found.marks[i] + 1) valued |= std::uint64_t{1} << (i + shift);
  }
  found.valued = valued;
  return found;
}

Hl7Ref Run::field_of(std::uint32_t segment, std::uint32_t field) {
  const SegmentInfo& in = info(segment);
  if (in.header) {
    if (field == 1) return {in.marks[0], in.marks[0] + 1};
    --field;
  }
  if (field == 0 || field >= in.marks.size()) return {};
  return {in.marks[field - 1] + 1, in.marks[field]};
}

Hl7Ref Run::part(Hl7Ref whole, char separator, std::uint32_t n) const {
  std::uint32_t begin = whole.begin;
  std::uint32_t end = find(bytes_, begin, whole.end, separator);
  while (--n > 0) {
    if (end >= whole.end) return {whole.end, whole.end};
    begin = end + 1;
    end = find(bytes_, begin, whole.end, separator);
  }
  return {begin, end};
}

void Run::split(Hl7Ref repetition) {
  split_.range = repetition;
  split_.count = 0;
  split_.valued = 0;
  const char separator = delimiters_.component;
  std::uint32_t at = repetition.begin;
  while (split_.count < Split::kMax) {
    split_.begins[split_.count] = at;
    const std::uint32_t end = find(bytes_, at, repetition.end, separator);
    if (end > at) split_.valued |= std::uint32_t{1} << split_.count;
    ++split_.count;
    at = end + 1;
    if (at > repetition.end) break;
  }
  split_.begins[split_.count] = at;
  // What is beyond the table may hold something.
  if (at <= repetition.end) split_.valued |= ~std::uint32_t{0} << Split::kMax;
}

/// Frame::valued of a datatype map that is called with the value.
std::uint32_t Run::valued_parts(const Value& value) {
  constexpr std::uint32_t kAll = ~std::uint32_t{0};
  if (value.kind != ValueKind::hl7) return kAll;
  Hl7Ref range = value.hl7;
  switch (static_cast<Hl7Level>(value.flags)) {
    case Hl7Level::field:
      range.end = find(bytes_, range.begin, range.end, delimiters_.repetition);
      [[fallthrough]];
    case Hl7Level::repetition:
      if (split_.range.begin != range.begin || split_.range.end != range.end) split(range);
      return split_.valued;
    case Hl7Level::component: {
      std::uint32_t valued = 0, bit = 1;
      for (std::uint32_t at = range.begin; at < range.end && bit != 0; bit <<= 1) {
        const std::uint32_t end = find(bytes_, at, range.end, delimiters_.subcomponent);
        if (end > at) valued |= bit;
        at = end + 1;
      }
      return bit == 0 ? kAll : valued;
    }
    case Hl7Level::leaf:
      return 1;
    case Hl7Level::segment:
      return kAll;
  }
  return kAll;
}

Hl7Ref Run::component(Hl7Ref repetition, std::uint32_t n) {
  if (n > Split::kMax) return part(repetition, delimiters_.component, n);
  if (split_.range.begin != repetition.begin || split_.range.end != repetition.end) {
    split(repetition);
  }
  if (n > split_.count) return {repetition.end, repetition.end};
  return {split_.begins[n - 1], split_.begins[n] - 1};
}

std::uint32_t Run::repetitions(Hl7Ref field) const {
  if (field.begin == field.end) return 0;
  std::uint32_t count = 1;
  for (std::uint32_t at = field.begin; (at = find(bytes_, at, field.end, delimiters_.repetition)) < field.end;
       ++at) {
    ++count;
  }
  return count;
}

void Run::mark_read(std::uint32_t begin, std::uint32_t end) {
  if (begin >= end) return;
  const std::uint32_t first = begin >> 6, last = (end - 1) >> 6;
  const std::uint64_t head = ~std::uint64_t{0} << (begin & 63);
  const std::uint64_t tail = ~std::uint64_t{0} >> (63 - ((end - 1) & 63));
  if (first == last) {
    read_[first] |= head & tail;
    return;
  }
  read_[first] |= head;
  for (std::uint32_t i = first + 1; i < last; ++i) read_[i] = ~std::uint64_t{0};
  read_[last] |= tail;
}

/// Absent, null or the range as a value. What holds nothing but delimiters of lower levels is absent.
Value Run::hl7_value(Hl7Ref ref, Hl7Level level, ir::TypeId type) {
  Value value;
  const char* at = bytes_ + ref.begin;
  const char* const end = bytes_ + ref.end;
  while (at != end &&
         (*at == delimiters_.component || *at == delimiters_.subcomponent || *at == delimiters_.repetition)) {
    ++at;
  }
  if (at == end) return value;
  value.kind = ValueKind::hl7;
  if (*at == '"' && ref.end - ref.begin == 2 && at[1] == '"') {
    value.kind = ValueKind::null_;
    mark_read(ref.begin, ref.end);
  }
  value.flags = static_cast<std::uint8_t>(level);
  value.type = type;
  value.hl7 = ref;
  value.source = hl7_source(ref, level);
  return value;
}

Value Run::read_repetition(const ir::V2Path& path, Hl7Ref repetition) {
  if (path.component == 0) return hl7_value(repetition, Hl7Level::repetition, path.type);
  const Hl7Ref part_of = component(repetition, path.component);
  if (path.subcomponent == 0) return hl7_value(part_of, Hl7Level::component, path.type);
  return hl7_value(part(part_of, delimiters_.subcomponent, path.subcomponent), Hl7Level::leaf, path.type);
}

Value Run::read_all(const ir::V2Path& path, Hl7Ref field) {
  const std::uint32_t count = repetitions(field);
  if (count == 0) return {};
  const std::span<Value> values = arena_.array<Value>(count);
  std::size_t kept = 0;
  std::uint32_t begin = field.begin;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t end = find(bytes_, begin, field.end, delimiters_.repetition);
    const Hl7Ref repetition{begin, end};
    begin = end + 1;
    if (path.repetition == ir::RepKind::where) {
      frame_.locals[path.where_slot] = hl7_value(repetition, Hl7Level::repetition, path.type);
      if (!truth(path.where)) continue;
    }
    const Value value = read_repetition(path, repetition);
    if (!value.is_absent()) values[kept++] = value;
  }
  return kept == 0 ? Value() : Value::of_list(values.first(kept));
}

Value Run::read_path(const ir::V2Path& path) {
  const std::int32_t segment = segment_of(path.segment);
  if (segment < 0) return {};
  Hl7Ref field = field_of(static_cast<std::uint32_t>(segment), path.field);
  if (field.begin == field.end) return {};
  if (info(static_cast<std::uint32_t>(segment)).header && path.field <= 2) {
    return hl7_value(field, Hl7Level::leaf, path.type);  // MSH-1 and MSH-2 are never split
  }
  if (path.list) return read_all(path, field);
  const std::uint32_t first_end = find(bytes_, field.begin, field.end, delimiters_.repetition);
  const bool repeats = first_end < field.end;
  Hl7Ref chosen{field.begin, first_end};
  switch (path.repetition) {
    case ir::RepKind::whole:
    case ir::RepKind::first:
      if (repeats) {
        const Value whole = hl7_value(field, Hl7Level::field, path.type);
        note(RunDiagnostic::Level::note, "dropped-repetition", "only the first repetition is used", &whole);
      }
      if (path.component == 0 && !repeats) return hl7_value(field, Hl7Level::field, path.type);
      break;
    case ir::RepKind::index:
      if (path.rep != 1) chosen = part(field, delimiters_.repetition, path.rep);
      break;
    case ir::RepKind::last:
      if (repeats) chosen = part(field, delimiters_.repetition, repetitions(field));
      break;
    case ir::RepKind::where: {
      std::uint32_t matches = 0;
      std::uint32_t begin = field.begin;
      const std::uint32_t count = repetitions(field);
      for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t end = find(bytes_, begin, field.end, delimiters_.repetition);
        frame_.locals[path.where_slot] = hl7_value({begin, end}, Hl7Level::repetition, path.type);
        if (truth(path.where) && ++matches == 1) chosen = {begin, end};
        begin = end + 1;
      }
      if (matches == 0) return {};
      if (matches > 1) {
        const Value whole = hl7_value(field, Hl7Level::field, path.type);
        note(RunDiagnostic::Level::note, "dropped-repetition", "only the first match is used", &whole);
      }
      break;
    }
    case ir::RepKind::all:
      break;
  }
  return read_repetition(path, chosen);
}

Value Run::relative(const Value& base, std::uint32_t first, std::uint32_t second, ir::TypeId type) {
  if (base.kind != ValueKind::hl7) return base.is_null() ? base : Value();
  Hl7Ref range = base.hl7;
  auto level = static_cast<Hl7Level>(base.flags);
  if (level == Hl7Level::field) {
    range.end = find(bytes_, range.begin, range.end, delimiters_.repetition);
    level = Hl7Level::repetition;
  }
  if (level == Hl7Level::repetition) {
    range = component(range, first);
    level = Hl7Level::component;
    if (second == 0) return hl7_value(range, level, type);
    return hl7_value(part(range, delimiters_.subcomponent, second), Hl7Level::leaf, type);
  }
  if (level == Hl7Level::component) {
    return hl7_value(part(range, delimiters_.subcomponent, first), Hl7Level::leaf, type);
  }
  return first == 1 ? base : Value();  // a leaf is its own first part
}

Value Run::read_relative(const ir::Expr& expr) {
  const std::uint32_t second = expr.c == ir::kNone ? 0 : expr.c;
  const ir::Expr& from = unit_->exprs[expr.a];
  if (from.op == ir::Op::local) {  // nearly every rule of a datatype map
    ++steps_;
    const Value& local = frame_.locals[from.a];
    if (local.kind != ValueKind::list) return relative(local, expr.b, second, expr.type);
  }
  const Value base = eval(expr.a);
  if (base.kind != ValueKind::list) return relative(base, expr.b, second, expr.type);
  const std::span<Value> values = arena_.array<Value>(base.size);
  std::size_t kept = 0;
  for (const Value& one : base.list()) {
    const Value value = relative(one, expr.b, second, expr.type);
    if (!value.is_absent()) values[kept++] = value;
  }
  return kept == 0 ? Value() : Value::of_list(values.first(kept));
}

Value Run::raw_of(const ir::Expr& expr) {
  const Value value = eval(expr.a);
  if (value.kind != ValueKind::hl7) return value;
  mark_read(value.hl7.begin, value.hl7.end);
  return Value::of_string({bytes_ + value.hl7.begin, value.hl7.end - value.hl7.begin}).from(value.source);
}

/// Decoded text of the first leaf (std 2.11: a value of a shallower level is the first leaf of the deeper
/// one).
std::string_view Run::leaf_text(const Value& value) {
  Hl7Ref range = value.hl7;
  switch (static_cast<Hl7Level>(value.flags)) {
    case Hl7Level::field:
      range.end = find(bytes_, range.begin, range.end, delimiters_.repetition);
      [[fallthrough]];
    case Hl7Level::repetition:
      range.end = find(bytes_, range.begin, range.end, delimiters_.component);
      [[fallthrough]];
    case Hl7Level::component:
      range.end = find(bytes_, range.begin, range.end, delimiters_.subcomponent);
      break;
    default:
      break;
  }
  mark_read(range.begin, range.end);
  const std::string_view raw(bytes_ + range.begin, range.end - range.begin);
  return plain_ ? raw : decode(raw);
}

std::string_view Run::decode(std::string_view raw) {
  bool special = false;
  for (const char c : raw) special |= c == delimiters_.escape || static_cast<signed char>(c) < 0;
  if (!special) return raw;
  const hl7::TextRules rules{delimiters_, message_->charset(), &message_->alternate_charsets()};
  // Formatting commands (`\.br\`) stand for line feeds and blanks; everything else is decoded as it is.
  const char command[] = {delimiters_.escape, '.', '\0'};
  if (delimiters_.escape != '\0' && raw.find(command) != std::string_view::npos) {
    return arena_.copy(hl7::render(raw, rules, hl7::Rendering::plain));
  }
  char* out = arena_.chars(raw.size() * 3);
  return {out, hl7::decode_to(raw, rules, out)};
}

}  // namespace kiln::mappings::detail
