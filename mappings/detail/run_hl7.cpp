// Reading the HL7 v2 source: segments, fields, repetitions, components by byte ranges of the message.

#include <algorithm>

#include "hl7/escape.h"
#include "mappings/detail/run_read.h"

namespace kiln::mappings::detail {

std::int32_t Run::look_up_segment(ir::Index ref) {
  return segment_registers_[ref - segment_base_] = find_segment(unit_->segment_refs[ref]);
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
  valued |= wide_gaps(found.marks.data(), std::min<std::size_t>(fields, 64 - shift)) << shift;
  found.valued = valued;
  return found;
}

Hl7Ref Run::field_of(const SegmentInfo& in, std::uint32_t field) const {
  if (in.header) {
    if (field == 1) return {in.marks[0], in.marks[0] + 1};
    --field;
  }
  if (field == 0 || field >= in.marks.size()) return {};
  return {in.marks[field - 1] + 1, in.marks[field]};
}

Hl7Ref Run::part(Hl7Ref whole, char separator, std::uint32_t n) const {
  std::uint32_t begin = whole.begin;
  std::uint32_t end = find(begin, whole.end, separator);
  while (--n > 0) {
    if (end >= whole.end) return {whole.end, whole.end};
    begin = end + 1;
    end = find(begin, whole.end, separator);
  }
  return {begin, end};
}

void Run::split(Hl7Ref range, char separator, Parts& parts) const {
  if (separator == '\0') separator = '\r';  // the message has none: no field holds a \r either
  if (range.end - range.begin <= 64 && range.end + Block::kBytes <= size_)
    return split_short(range, separator, parts);
  parts.range = range;
  parts.count = 0;
  parts.valued = 0;
  parts.deep = ~std::uint32_t{0};
  std::uint32_t begin = range.begin;
  const auto close = [&](std::uint32_t end) {
    parts.begins[parts.count] = begin;
    if (end > begin) parts.valued |= std::uint32_t{1} << parts.count;
    ++parts.count;
    begin = end + 1;
  };
  for (std::uint32_t at = range.begin; at < range.end; at += Block::kBytes) {
    std::uint32_t mask = 0;
    if (at + Block::kBytes <= size_) {
      mask = Block::load(bytes_ + at).equal(separator);
    } else {
      for (std::uint32_t i = at; i < range.end; ++i)
        mask |= std::uint32_t{bytes_[i] == separator} << (i - at);
    }
    for (; mask != 0; mask &= mask - 1) {
      const std::uint32_t end = at + static_cast<std::uint32_t>(std::countr_zero(mask));
      if (end >= range.end) break;
      if (parts.count == Parts::kMax) {
        parts.begins[parts.count] = begin;
        parts.valued |= ~std::uint32_t{0} << Parts::kMax;  // may hold something
        return;
      }
      close(end);
    }
  }
  if (parts.count < Parts::kMax) {
    close(range.end);
  } else {
    parts.valued |= ~std::uint32_t{0} << Parts::kMax;
  }
  parts.begins[parts.count] = begin;
}

/// At most 64 bytes, with a block behind them.
void Run::split_short(Hl7Ref range, char separator, Parts& parts) const {
  const std::uint32_t size = range.end - range.begin;
  std::uint64_t ends = 0, below = 0;
  for (std::uint32_t at = 0; at < size; at += Block::kBytes) {
    const Block block = Block::load(bytes_ + range.begin + at);
    ends |= std::uint64_t{block.equal(separator)} << at;
    below |= std::uint64_t{block.equal(separators_[2])} << at;
  }
  const std::uint64_t inside = size == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << size) - 1;
  ends &= inside;
  parts.range = range;
  const bool lowest = separator == separators_[2];
  parts.deep = lowest || (below & inside) == 0 ? 0 : ~std::uint32_t{0};
  std::uint32_t count = 0, valued = 0, begin = range.begin;
  for (;; ends &= ends - 1) {
    const std::uint32_t end =
        ends == 0 ? range.end : range.begin + static_cast<std::uint32_t>(std::countr_zero(ends));
    parts.begins[count] = begin;
    valued |= std::uint32_t{end > begin} << count;
    ++count;
    begin = end + 1;
    if (ends == 0 || count == Parts::kMax) break;
  }
  if (ends != 0) valued |= ~std::uint32_t{0} << Parts::kMax;  // what is beyond may hold something
  parts.begins[count] = begin;
  parts.count = count;
  parts.valued = valued;
}

void Parts::copy(const Parts& from) {
  range = from.range;
  count = from.count;
  valued = from.valued;
  deep = from.deep;
  for (std::uint32_t i = 0; i <= count; i += 4)
    std::memcpy(begins + i, from.begins + i, 4 * sizeof begins[0]);
}

/// Components. A repetition that was read a moment ago need not be split again.
void Run::split_repetition(Hl7Ref range, Parts& parts) const {
  if (split_.count != 0 && split_.range.begin == range.begin && split_.range.end == range.end)
    return parts.copy(split_);
  split(range, delimiters_.component, parts);
}

/// The parts of what a datatype map is called with; false where they cannot be told.
bool Run::split_value(const Value& value, Parts& parts) const {
  if (value.kind != ValueKind::hl7) return false;
  Hl7Ref range = value.hl7;
  switch (static_cast<Hl7Level>(value.flags)) {
    case Hl7Level::field:
      range.end = find(range.begin, range.end, delimiters_.repetition);
      [[fallthrough]];
    case Hl7Level::repetition:
      split_repetition(range, parts);
      parts.level = Hl7Level::component;
      return true;
    case Hl7Level::component:
      split(range, delimiters_.subcomponent, parts);
      parts.level = Hl7Level::leaf;
      return true;
    default:
      return false;
  }
}

Hl7Ref Run::component(Hl7Ref repetition, std::uint32_t n) {
  if (n > Parts::kMax) return part(repetition, delimiters_.component, n);
  if (split_.range.begin != repetition.begin || split_.range.end != repetition.end) {
    split(repetition, delimiters_.component, split_);
  }
  if (n > split_.count) return {repetition.end, repetition.end};
  return {split_.begins[n - 1], split_.begins[n] - 1};
}

std::uint32_t Run::repetitions(Hl7Ref field) const {
  if (field.begin == field.end) return 0;
  std::uint32_t count = 1;
  for (std::uint32_t at = field.begin; (at = find(at, field.end, delimiters_.repetition)) < field.end; ++at) {
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

bool Run::only_separators(Hl7Ref ref) const {
  for (std::uint32_t at = ref.begin; at < ref.end; ++at) {
    if (!is_separator(bytes_[at])) return false;
  }
  return true;
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
    const std::uint32_t end = find(begin, field.end, delimiters_.repetition);
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

/// count(PATH[*]): the values are looked at, as if they had been read.
std::int64_t Run::count_all(const ir::V2Path& path) {
  const std::int32_t segment = segment_of(path.segment);
  if (segment < 0) return 0;
  const SegmentInfo& in = info(static_cast<std::uint32_t>(segment));
  if (path.field <= 64 && (in.valued >> (path.field - 1) & 1) == 0) return 0;
  const Hl7Ref field = field_of(in, path.field);
  std::int64_t count = 0;
  std::size_t bytes = 0;
  for (std::uint32_t begin = field.begin, end = 0; begin <= field.end && field.begin < field.end;
       begin = end + 1) {
    end = find(begin, field.end, delimiters_.repetition);
    const Value value = read_repetition(path, {begin, end});
    if (value.is_absent()) continue;
    ++count;
    bytes += sizeof(Value);
    if (value.is_value()) bytes += text_of(value).size();
  }
  if (!charge(bytes)) return 0;
  return count;
}

Value Run::read_path(const ir::V2Path& path) {
  const std::int32_t segment = segment_of(path.segment);
  if (segment < 0) return {};
  const SegmentInfo& in = info(static_cast<std::uint32_t>(segment));
  if (path.field <= 64 && (in.valued >> (path.field - 1) & 1) == 0) return {};
  const Hl7Ref field = field_of(in, path.field);
  if (field.begin == field.end) return {};
  if (in.header && path.field <= 2) {
    return hl7_value(field, Hl7Level::leaf, path.type);  // MSH-1 and MSH-2 are never split
  }
  if (path.list) return read_all(path, field);
  const std::uint32_t first_end = find(field.begin, field.end, delimiters_.repetition);
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
        const std::uint32_t end = find(begin, field.end, delimiters_.repetition);
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
    range.end = find(range.begin, range.end, delimiters_.repetition);
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
    if (from.a == 0 && frame_.parts != nullptr && expr.b <= Parts::kMax)
      return known_part(*frame_.parts, expr.b, second, expr.type);
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

std::string_view Run::decode(std::string_view raw) {
  bool special = false;
  for (const char c : raw) special |= c == delimiters_.escape || static_cast<signed char>(c) < 0;
  if (!special) return raw;
  const hl7::TextRules rules = message_->text_rules();
  // Formatting commands (`\.br\`) stand for line feeds and blanks; everything else is decoded as it is.
  const char command[] = {delimiters_.escape, '.', '\0'};
  if (delimiters_.escape != '\0' && raw.find(command) != std::string_view::npos) {
    return arena_.copy(hl7::render(raw, rules, hl7::Rendering::plain));
  }
  char* out = arena_.chars(raw.size() * 3);
  return {out, hl7::decode_to(raw, rules, out)};
}

}  // namespace kiln::mappings::detail
