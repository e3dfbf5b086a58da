#pragma once
// The shortcut for what nearly every rule reads: one text of the message, a constant, a code of a table
// (plans.h).

#include <cstring>

#include "mappings/detail/run_read.h"

namespace kiln::mappings::detail {

template <class Word>
inline void copy_ends(char* to, std::string_view text) {
  Word low, high;  // they may overlap
  std::memcpy(&low, text.data(), sizeof low);
  std::memcpy(&high, text.data() + text.size() - sizeof high, sizeof high);
  std::memcpy(to, &low, sizeof low);
  std::memcpy(to + text.size() - sizeof high, &high, sizeof high);
}

/// A copy without a call for the short texts that most are. The end of the copy.
inline char* append_short(char* to, std::string_view text) {
  if (text.size() > 16) {
    std::memcpy(to, text.data(), text.size());
  } else if (text.size() >= 8) {
    copy_ends<std::uint64_t>(to, text);
  } else if (text.size() >= 4) {
    copy_ends<std::uint32_t>(to, text);
  } else {
    for (std::size_t i = 0; i < text.size(); ++i) to[i] = text[i];
  }
  return to + text.size();
}

/// Most texts differ in their size or first byte: these cost no call.
inline bool is_same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || (a[0] == b[0] && a == b));
}

/// A part whose range is known and in which no leaf but the first is asked for. False: null, or its first
/// leaf is empty.
inline bool Run::look_leaf(Hl7Ref range, std::uint32_t end, Hl7Level level, Text& out) {
  if (range.begin == end || bytes_[range.begin] == '"') return false;
  const std::string_view text = leaf_text(range, end);
  out = {text.data(), static_cast<std::uint32_t>(text.size()), false, hl7_source(range, level)};
  return true;
}

inline bool Run::look_part(const TextPlan& plan, const Parts& parts, Text& out) {
  out = {};
  const std::uint32_t bit = plan.part - 1u;
  if (bit >= parts.count) return true;
  Hl7Ref range{parts.begins[bit], parts.begins[bit + 1] - 1};
  if (range.begin == range.end) return true;
  const bool deep = (parts.deep >> bit & 1) != 0;
  if (plan.second == 0 || parts.level == Hl7Level::leaf)
    return look_leaf(range, deep ? leaf_end(range) : range.end, parts.level, out);
  if (deep) {
    range = part(range, delimiters_.subcomponent, plan.second);
    if (range.begin == range.end) return true;
  } else if (plan.second > 1) {
    return true;
  }
  return look_leaf(range, range.end, Hl7Level::leaf, out);
}

/// Rules ask for the same places again and again: for the numbers of an order with each of its results.
inline bool Run::look_field(ir::Index index, Text& out) {
  const PathKey& path = facts_->paths[index];
  const std::int32_t segment = segment_of(path.segment);
  if (segment < 0) {
    out = {};
    return true;
  }
  const auto in_segment = static_cast<std::uint32_t>(segment);
  const std::uint64_t place = std::uint64_t{in_segment} << 32 | path.path;
  Looked& looked = looked_[(path.hash + in_segment * 11) % kLooked];
  if (looked.place == place) {
    out = looked.text;
    return true;
  }
  out = {};
  const SegmentInfo& in = info(in_segment);
  if ((in.valued >> (path.field - 1) & 1) == 0) return true;
  if (in.header && path.field <= 2) return false;
  if (!look_in_field(path, in, out)) return false;
  looked = {place, out};
  return true;
}

inline bool Run::look_in_field(const PathKey& path, const SegmentInfo& in, Text& out) {
  const Hl7Ref field = field_of(in, path.field);
  const bool whole = !path.index;
  const std::uint32_t size = field.end - field.begin;
  if (size <= Block::kBytes && field.begin + Block::kBytes <= size_) {
    const Block block = Block::load(bytes_ + field.begin);
    const std::uint32_t separators =
        block.equal(separators_[0]) | block.equal(separators_[1]) | block.equal(separators_[2]);
    if ((separators & ((1u << size) - 1)) == 0) {  // one repetition, one component, one leaf
      if (path.component > 1 || path.subcomponent > 1) return true;
      const Hl7Level level = path.component == 0      ? whole ? Hl7Level::field : Hl7Level::repetition
                             : path.subcomponent == 0 ? Hl7Level::component
                                                      : Hl7Level::leaf;
      return look_leaf(field, field.end, level, out);
    }
  }
  return look_composite(path, field, out);
}

/// look() of what was looked at before, and of a field that holds nothing: most looks, told without a frame.
[[gnu::always_inline]] inline bool Run::look_known(const TextPlan& plan, Text& out) {
  if (!plan.direct) return false;
  const PathKey& path = facts_->paths[plan.index];
  const std::int32_t segment = segment_registers_[path.segment - segment_base_];
  if (segment < 0) return false;
  const auto in_segment = static_cast<std::uint32_t>(segment);
  const Looked& looked = looked_[(path.hash + in_segment * 11) % kLooked];
  if (looked.place == (std::uint64_t{in_segment} << 32 | path.path) && looked.text.size != 0) {
    out = looked.text;
  } else {
    const SegmentInfo& in = segments_[in_segment];
    const bool other = plan.otherwise != ir::kNone || plan.absent != ir::kNone;
    if (other || !in.opened || (in.valued >> (path.field - 1) & 1) != 0) return false;
    out = {};
  }
  ++steps_;
  return true;
}

/// text_of(eval(expr)) of the expression that the plan is of, and its source, by a look; size 0: absent.
/// False: nothing is known and nothing was done.
[[gnu::always_inline]] inline bool Run::look_by(const TextPlan& first, Text& out) {
  for (const TextPlan* plan = &first;;) {
    switch (plan->from) {
      case TextFrom::nothing:
      case TextFrom::count:
        return false;
      case TextFrom::constant:
        out = literal(plan->index, 0);
        break;
      case TextFrom::part:
        if (frame_.parts != nullptr) {
          if (!look_part(*plan, *frame_.parts, out)) return false;
          break;
        }
        [[fallthrough]];
      case TextFrom::local:
        if (!look_local(*plan, out)) return false;
        break;
      case TextFrom::field:
        if (!look_field(plan->index, out)) return false;
        break;
    }
    ++steps_;
    if (out.size != 0) {
      if (plan->code && !is_plain_code(out.view())) return false;
      if (plan->table == ir::kNone) return true;
      if (!translate(*plan, out)) return false;
      if (out.size != 0) return true;
    } else if (plan->absent != ir::kNone) {
      out = literal(plan->absent, 0);
      return true;
    }
    if (plan->otherwise == ir::kNone) return true;
    plan = &facts_->plans[plan->otherwise];
  }
}

/// A value that only its text is asked of.
inline Value Run::eval_text(ir::Index expr) {
  Text found;
  if (!look(expr, found)) return eval_common(expr);
  return found.size == 0 ? Value() : Value::of_string(found.view()).from(found.source);
}

/// eval(), where it is called most: what is evaluated most, without the frame that the whole switch needs.
inline Value Run::eval_common(ir::Index expr) {
  if (++steps_ > steps_max_) {
    if (over_budget()) return {};
  }
  const ir::Expr& node = unit_->exprs[expr];
  switch (node.op) {
    case ir::Op::constant:
      return facts_->constants[node.a];
    case ir::Op::local:
      return frame_.locals[node.a];
    case ir::Op::v2_path:
      return read_path(unit_->v2_paths[node.a]);
    case ir::Op::v2_relative:
      return read_relative(node);
    case ir::Op::convert:
    case ir::Op::lookup:
    case ir::Op::coalesce:
      if (Text found; facts_->plans[expr].exact && look(expr, found))
        return found.size == 0 ? Value() : Value::of_string(found.view()).from(found.source);
      return node.op == ir::Op::convert ? convert(node) : eval_node(node);
    default:
      return eval_node(node);
  }
}

}  // namespace kiln::mappings::detail
