#include "hl7/diff.h"

#include <algorithm>
#include <functional>
#include <map>

#include "engine/base/limits.h"

namespace kiln::hl7 {
namespace {

using Pair = std::pair<std::optional<std::uint32_t>, std::optional<std::uint32_t>>;
/// How well item a of one list goes with item b of the other; 0 = not at all.
using Score = std::function<int(std::uint32_t, std::uint32_t)>;

/// Best alignment of the ranges [a0, a1) and [b0, b1) that keeps the order of both.
void align_middle(std::uint32_t a0, std::uint32_t a1, std::uint32_t b0, std::uint32_t b1, const Score& score,
                  std::vector<Pair>& out) {
  const std::size_t rows = a1 - a0, columns = b1 - b0, width = columns + 1;
  std::vector<int> best((rows + 1) * width, 0);
  for (std::size_t i = rows; i-- > 0;) {
    for (std::size_t j = columns; j-- > 0;) {
      const int pair = score(a0 + static_cast<std::uint32_t>(i), b0 + static_cast<std::uint32_t>(j));
      int value = std::max(best[(i + 1) * width + j], best[i * width + j + 1]);
      if (pair > 0) value = std::max(value, pair + best[(i + 1) * width + j + 1]);
      best[i * width + j] = value;
    }
  }
  std::size_t i = 0, j = 0;
  while (i < rows || j < columns) {
    const auto a = a0 + static_cast<std::uint32_t>(i), b = b0 + static_cast<std::uint32_t>(j);
    const int here = best[i * width + j];
    if (i < rows && j < columns) {
      const int pair = score(a, b);
      if (pair > 0 && here == pair + best[(i + 1) * width + j + 1]) {
        out.emplace_back(a, b);
        ++i, ++j;
        continue;
      }
    }
    if (i < rows && (j == columns || here == best[(i + 1) * width + j])) {
      out.emplace_back(a, std::nullopt);
      ++i;
    } else {
      out.emplace_back(std::nullopt, b);
      ++j;
    }
  }
}

/// `same` is equality: equal ends are matched without looking further.
std::vector<Pair> align(std::uint32_t count_a, std::uint32_t count_b,
                        const std::function<bool(std::uint32_t, std::uint32_t)>& same, const Score& score) {
  std::vector<Pair> out;
  std::uint32_t begin = 0, a = count_a, b = count_b;
  for (; begin < a && begin < b && same(begin, begin); ++begin) out.emplace_back(begin, begin);
  while (a > begin && b > begin && same(a - 1, b - 1)) --a, --b;
  if (std::size_t{a - begin} * (b - begin) <= base::limits::kDiffCellsMax) {
    align_middle(begin, a, begin, b, score, out);
  } else {
    // Too many for the table: by order of occurrence, as far as they go together at all.
    std::uint32_t j = begin;
    for (std::uint32_t i = begin; i < a; ++i) {
      if (j < b && score(i, j) > 0)
        out.emplace_back(i, j++);
      else
        out.emplace_back(i, std::nullopt);
    }
    for (; j < b; ++j) out.emplace_back(std::nullopt, j);
  }
  for (; a < count_a; ++a, ++b) out.emplace_back(a, b);
  return out;
}

class Comparer {
 public:
  Comparer(const Message& before, const Message& after, const DiffOptions& options)
      : before_(before), after_(after), options_(options) {}

  MessageDifference run() {
    const bool same_rules =
        before_.delimiters() == after_.delimiters() && before_.charset() == after_.charset();
    const auto same = [&](std::uint32_t a, std::uint32_t b) {
      return same_rules && before_.segment(a).raw() == after_.segment(b).raw();
    };
    const auto score = [&](std::uint32_t a, std::uint32_t b) { return segment_score(a, b, same_rules); };
    for (const auto& [a, b] : align(before_.segment_count(), after_.segment_count(), same, score)) {
      SegmentDifference difference{a, b, {}};
      if (a && b) {
        if (same(*a, *b)) continue;
        compare_segments(before_.segment(*a), after_.segment(*b), difference);
        if (difference.values.empty()) continue;
      }
      out_.segments.push_back(std::move(difference));
    }
    return std::move(out_);
  }

 private:
  int segment_score(std::uint32_t a, std::uint32_t b, bool same_rules) const {
    const SegmentView left = before_.segment(a), right = after_.segment(b);
    if (left.id() != right.id() || (left.id() == 0 && left.name() != right.name())) return 0;
    if (same_rules && left.raw() == right.raw()) return 16;
    // Field 3 tells what most repeating segments are about (OBX, PID, AL1, DG1), field 1 is their number.
    int score = 4;
    if (left.field(3).raw() == right.field(3).raw() && !left.field(3).raw().empty()) score += 6;
    if (left.field(1).raw() == right.field(1).raw()) score += 2;
    return score;
  }

  void compare_segments(const SegmentView& a, const SegmentView& b, SegmentDifference& out) {
    const std::uint32_t fields = std::max(a.field_count(), b.field_count());
    for (std::uint32_t n = 1; n <= fields; ++n) compare_fields(a, b, n, out);
  }

  void compare_fields(const SegmentView& a, const SegmentView& b, std::uint32_t n, SegmentDifference& out) {
    const FieldView left = a.field(n), right = b.field(n);
    std::vector<RepetitionView> lefts, rights;
    for (const RepetitionView repetition : left.repetitions()) lefts.push_back(repetition);
    for (const RepetitionView repetition : right.repetitions()) rights.push_back(repetition);
    const auto same = [&](std::uint32_t i, std::uint32_t j) { return lefts[i].raw() == rights[j].raw(); };
    const auto score = [&](std::uint32_t i, std::uint32_t j) {
      return same(i, j)                                        ? 8
             : lefts[i].leaf().raw() == rights[j].leaf().raw() ? 4
             : lefts.size() == rights.size()                   ? 1
                                                               : 0;
    };
    std::vector<Pair> pairs = align(static_cast<std::uint32_t>(lefts.size()),
                                    static_cast<std::uint32_t>(rights.size()), same, score);
    join_neighbours(pairs);
    const bool one = lefts.size() < 2 && rights.size() < 2;  // then no index is told
    for (const auto& [i, j] : pairs) {
      const Location at_left{a.index(), n, one || !i ? 0 : *i + 1, 0, 0},
          at_right{b.index(), n, one || !j ? 0 : *j + 1, 0, 0};
      compare_leaves(a, i ? lefts[*i] : RepetitionView(), at_left, j ? rights[*j] : RepetitionView(),
                     at_right, out);
    }
  }

  /// One removed and one added repetition side by side are one that changed.
  static void join_neighbours(std::vector<Pair>& pairs) {
    std::vector<Pair> out;
    for (const Pair& pair : pairs) {
      const bool joins = !out.empty() && ((out.back().first && !out.back().second && !pair.first) ||
                                          (!out.back().first && out.back().second && !pair.second));
      if (joins)
        (pair.first ? out.back().first : out.back().second) = pair.first ? pair.first : pair.second;
      else
        out.push_back(pair);
    }
    pairs = std::move(out);
  }

  struct Leaf {
    LeafView leaf;
    Location at;
  };
  using Leaves = std::map<std::pair<std::uint32_t, std::uint32_t>, Leaf>;

  /// Places are as deep as the repetition is cut.
  static Leaves leaves_of(const RepetitionView& repetition, Location at) {
    Leaves out;
    if (!repetition.located()) return out;
    const bool whole = repetition.component_count() < 2 && repetition.component(1).sub_count() < 2;
    at.component = 0;
    for (const ComponentView component : repetition.components()) {
      ++at.component;
      at.subcomponent = 0;
      const bool cut = component.sub_count() > 1;
      for (const LeafView leaf : component.subs()) {
        ++at.subcomponent;
        if (leaf.absent()) continue;
        Location place = at;
        if (whole) place.component = 0;
        if (!cut) place.subcomponent = 0;
        out[{at.component, at.subcomponent}] = {leaf, place};
      }
    }
    return out;
  }

  void compare_leaves(const SegmentView& segment, const RepetitionView& a, const Location& at_a,
                      const RepetitionView& b, const Location& at_b, SegmentDifference& out) {
    const Leaves left = leaves_of(a, at_a), right = leaves_of(b, at_b);
    auto i = left.begin();
    auto j = right.begin();
    while (i != left.end() || j != right.end()) {
      const bool take_left = j == right.end() || (i != left.end() && i->first <= j->first);
      const bool take_right = i == left.end() || (j != right.end() && j->first <= i->first);
      ValueDifference value;
      if (take_left) fill(i->second, value.before, value.before_null, value.before_text);
      if (take_right) fill(j->second, value.after, value.after_null, value.after_text);
      if (take_left) ++i;
      if (take_right) ++j;
      const bool equal = value.before && value.after && value.before_null == value.after_null &&
                         value.before_text == value.after_text;
      if (!equal && !ignored(segment, value.before ? *value.before : *value.after))
        out.values.push_back(std::move(value));
    }
  }

  static void fill(const Leaf& leaf, std::optional<Location>& at, bool& null, std::string& text) {
    at = leaf.at;
    null = leaf.leaf.is_null();
    text = leaf.leaf.verbatim() ? std::string(leaf.leaf.raw()) : leaf.leaf.to_text();
  }

  bool ignored(const SegmentView& segment, const Location& at) const {
    return std::any_of(options_.ignore.begin(), options_.ignore.end(), [&](const Path& path) {
      return path.segment_id() == segment.id() && (path.field() == 0 || path.field() == at.field) &&
             (path.component() == 0 || path.component() == std::max(at.component, 1u)) &&
             (path.subcomponent() == 0 || path.subcomponent() == std::max(at.subcomponent, 1u));
    });
  }

  const Message& before_;
  const Message& after_;
  const DiffOptions& options_;
  MessageDifference out_;
};

}  // namespace

MessageDifference diff(const Message& before, const Message& after, const DiffOptions& options) {
  return Comparer(before, after, options).run();
}

}  // namespace kiln::hl7
