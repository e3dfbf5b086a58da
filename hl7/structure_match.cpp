// The lenient group matcher (hl7v2.md §7): one pass, state = the stack of open group instances. Where a
// segment may go two ways the next few segments decide.

#include <algorithm>
#include <array>
#include <stdexcept>

#include "hl7/structure.h"

namespace kiln::hl7 {

namespace {
constexpr std::size_t kDepthMax = 64;      ///< nested groups; the deepest of the standard has 9
constexpr std::size_t kLookAheadMax = 12;  ///< segments that are tried behind one with two places

bool is_local(std::uint32_t segment) {
  return segment >> 16 == 'Z';
}
}  // namespace

class Matcher {
 public:
  Matcher(const Structure& structure, std::span<const std::uint32_t> segments, GroupTree& tree)
      : structure_(structure), segments_(segments), tree_(tree) {
    tree_.last_.assign(structure.nodes().size(), {kNoIndex, 0});
    frames_[0] = {0, 0, -1};
  }

  void take(std::uint32_t index) {
    index_ = index;
    const std::uint32_t segment = segments_[index];
    if (segment == again_.segment && again_.symbol != kNoNode)
      return place(again_.level, again_.position, again_.symbol, Pass::strict);
    const std::uint16_t known = structure_.symbol_of(segment);
    // A profile may give a Z segment a place; without one it stays where it stands.
    if (is_local(segment) && known == kNoNode) return attach(Placing::local);
    again_.symbol = kNoNode;
    const auto any = static_cast<std::uint16_t>(structure_.symbols_.size());
    if (known != kNoNode && (structure_.forks_[known] ? try_places(known) : try_frames(known, Pass::strict)))
      return;
    if (segment != 0 && try_frames(any, Pass::strict)) return;
    if (known != kNoNode) {
      // A comment behind its place belongs to nobody: only the group it stands in may still take it.
      const std::size_t outermost = Structure::is_follower(segment) ? depth_ : 0;
      if (try_frames(known, Pass::backward, outermost)) return;
      if (try_frames(known, Pass::lenient)) return;
    }
    if (is_local(segment)) return attach(Placing::local);
    tree_.unplaced_.push_back(index);
    attach(Placing::unplaced);
  }

  void finish(std::uint32_t count) {
    index_ = count;
    pop_to(0);
    tree_.instances_[0].end_segment = count;
    tree_.instances_[0].end_instance = static_cast<std::uint32_t>(tree_.instances_.size());
  }

 private:
  enum class Pass : std::uint8_t { strict, backward, lenient };
  struct Frame {
    std::uint16_t compound;
    std::uint32_t instance;
    int position;  ///< child last matched, -1 before the first
  };

  void attach(Placing placing) { tree_.placements_.push_back({frames_[depth_].instance, kNoNode, placing}); }

  /// Innermost frame first; places the segment in the first that takes it.
  bool try_frames(std::uint16_t symbol, Pass pass, std::size_t outermost = 0) {
    for (std::size_t level = depth_ + 1; level-- > outermost;) {
      const int position = find(frames_[level], symbol, pass);
      if (position < 0) continue;
      if (pass == Pass::strict) {
        place_only_way(level, position, symbol);
      } else {
        place(level, position, symbol, pass);
      }
      return true;
    }
    return false;
  }

  /// A way to take a segment without anything missing: child `position` of the compound of a frame.
  struct Way {
    std::size_t level;
    int position;
  };

  /// For a segment with several places in the structure. The nearest place is right, unless the segments
  /// behind fit it worse than another one: an ORC opens the group whose other segments follow.
  bool try_places(std::uint16_t symbol) {
    std::array<Way, 4> ways;
    std::size_t count = 0;
    for (std::size_t level = depth_ + 1; level-- > 0 && count < ways.size();) {
      const Frame& frame = frames_[level];
      for (const Structure::Candidate candidate : structure_.candidates(frame.compound, symbol))
        if (count < ways.size() && is_strict(frame, candidate)) ways[count++] = {level, candidate.position};
    }
    if (count == 0) return false;
    if (count == 1) {
      place_only_way(ways[0].level, ways[0].position, symbol);
      return true;
    }
    std::size_t best = 0;
    {
      while (best < count && !opened_by(ways[best], segments_[index_])) ++best;
      if (best == count) best = 0;
      const std::size_t preferred = best;
      std::size_t best_run = run_behind(ways[best], symbol);
      for (std::size_t i = 0; i < count && best_run < kLookAheadMax; ++i) {
        if (i == preferred) continue;
        const std::size_t run = run_behind(ways[i], symbol);
        if (run <= best_run) continue;
        best = i;
        best_run = run;
      }
    }
    place(ways[best].level, ways[best].position, symbol, Pass::strict);
    return true;
  }

  /// The way repeats an open group that began with such a segment, and leaves none that waits for a member.
  bool opened_by(const Way& way, std::uint32_t segment) const {
    if (way.level >= depth_ || way.position != frames_[way.level].position) return false;
    for (std::size_t level = way.level + 1; level <= depth_; ++level) {
      const auto children = structure_.children(frames_[level].compound);
      for (auto next = static_cast<std::size_t>(frames_[level].position + 1); next < children.size(); ++next)
        if (structure_.nodes_[children[next]].required) return false;
    }
    return segments_[tree_.instances_[frames_[way.level + 1].instance].first_segment] == segment;
  }

  bool is_strict(const Frame& frame, const Structure::Candidate& candidate) const {
    if ((candidate.accept & Structure::kStrict) == 0) return false;
    const NodeIndex node = structure_.children(frame.compound)[candidate.position];
    return candidate.position > frame.position ||
           (candidate.position == frame.position && structure_.nodes_[node].repeats);
  }

  /// How many of the next segments fit without anything missing if this one goes that way, all of them when
  /// none does not; segments the structure does not have are passed over.
  std::size_t run_behind(const Way& way, std::uint16_t symbol) const {
    std::array<Frame, kDepthMax> frames;
    std::copy(frames_.begin(), frames_.begin() + static_cast<std::ptrdiff_t>(way.level) + 1, frames.begin());
    std::size_t depth = descend(frames, way, symbol);
    std::size_t run = 0;
    const std::size_t end = std::min<std::size_t>(segments_.size(), index_ + 1u + 4 * kLookAheadMax);
    for (std::size_t i = index_ + 1u; i < end && run < kLookAheadMax; ++i) {
      const std::uint16_t next = structure_.symbol_of(segments_[i]);
      if (next == kNoNode) continue;
      Way found{0, -1};
      for (std::size_t level = depth + 1; level-- > 0 && found.position < 0;)
        found = {level, find(frames[level], next, Pass::strict)};
      if (found.position < 0) return run;
      depth = descend(frames, found, next);
      ++run;
    }
    return kLookAheadMax;
  }

  /// As place(), on frames alone: the new depth.
  std::size_t descend(std::array<Frame, kDepthMax>& frames, const Way& way, std::uint16_t symbol) const {
    std::size_t depth = way.level;
    frames[depth].position = way.position;
    NodeIndex node = structure_.children(frames[depth].compound)[static_cast<std::size_t>(way.position)];
    for (std::uint16_t compound; (compound = structure_.compound_of_[node]) != kNoNode;) {
      const std::size_t member = entrance(compound, symbol);
      if (structure_.nodes_[node].kind == NodeKind::group && depth + 1 < kDepthMax)
        frames[++depth] = {compound, 0, static_cast<int>(member)};
      node = structure_.children(compound)[member];
    }
    return depth;
  }

  int find(const Frame& frame, std::uint16_t symbol, Pass pass) const {
    const auto children = structure_.children(frame.compound);
    for (const Structure::Candidate candidate : structure_.candidates(frame.compound, symbol)) {
      const int position = candidate.position;
      const NodeIndex node = children[candidate.position];
      const bool repeats = structure_.nodes_[node].repeats;
      const bool strict = (candidate.accept & Structure::kStrict) != 0;
      const bool again = position == frame.position && repeats;
      bool fits = false;
      switch (pass) {
        case Pass::strict:
          fits = strict && (position > frame.position || again);
          break;
        case Pass::backward:
          fits = strict && position < frame.position &&
                 (repeats || tree_.last_[node].instance != frame.instance);
          break;
        case Pass::lenient:
          fits = position > frame.position || (again && (candidate.accept & Structure::kReopen) != 0);
          break;
      }
      if (fits) return position;
    }
    return -1;
  }

  /// The frames alone have said where the segment goes. When they are the same behind it, the next one of its
  /// kind goes there as well: most messages are long because one group repeats.
  void place_only_way(std::size_t level, int position, std::uint16_t symbol) {
    constexpr std::size_t kGroups = 2;
    const std::size_t depth = depth_;
    const bool repeats = frames_[level].position == position && depth - level <= kGroups;
    std::array<Frame, kGroups> before;
    for (std::size_t i = 0; repeats && i < depth - level; ++i) before[i] = frames_[level + 1 + i];
    place(level, position, symbol, Pass::strict);
    if (!repeats || depth_ != depth) return;
    for (std::size_t i = 0; i < depth - level; ++i) {
      const Frame& now = frames_[level + 1 + i];
      if (now.compound != before[i].compound || now.position != before[i].position) return;
    }
    again_ = {segments_[index_], symbol, level, position};
  }

  void place(std::size_t level, int position, std::uint16_t symbol, Pass pass) {
    pop_to(level);
    if (pass != Pass::backward) frames_[level].position = position;
    NodeIndex node = structure_.children(frames_[level].compound)[static_cast<std::size_t>(position)];
    while (true) {
      const std::uint32_t ordinal = count(node);
      const std::uint16_t compound = structure_.compound_of_[node];
      if (compound == kNoNode) break;
      const std::size_t member = entrance(compound, symbol);
      if (structure_.nodes_[node].kind == NodeKind::group)
        open(node, compound, ordinal, static_cast<int>(member));
      node = structure_.children(compound)[member];
    }
    tree_.placements_.push_back(
        {frames_[depth_].instance, node, pass == Pass::backward ? Placing::out_of_order : Placing::placed});
  }

  /// The member by which a segment enters a compound: one it may start, before one with missing members.
  std::size_t entrance(std::uint16_t compound, std::uint16_t symbol) const {
    const auto candidates = structure_.candidates(compound, symbol);
    for (const Structure::Candidate candidate : candidates)
      if ((candidate.accept & Structure::kStrict) != 0) return candidate.position;
    return candidates.front().position;
  }

  /// Notes one more occurrence of a node in the innermost instance; its number there.
  std::uint32_t count(NodeIndex node) {
    GroupTree::Last& last = tree_.last_[node];
    const std::uint32_t instance = frames_[depth_].instance;
    last = {instance, last.instance == instance ? last.count + 1 : 1};
    return last.count;
  }

  void open(NodeIndex node, std::uint16_t compound, std::uint32_t ordinal, int position) {
    if (depth_ + 1 == kDepthMax) throw std::length_error("message structure nested too deeply");
    const auto instance = static_cast<std::uint32_t>(tree_.instances_.size());
    tree_.instances_.push_back({node, frames_[depth_].instance, ordinal, index_, 0, 0});
    frames_[++depth_] = {compound, instance, position};
  }

  void pop_to(std::size_t level) {
    for (; depth_ > level; --depth_) {
      GroupInstance& closed = tree_.instances_[frames_[depth_].instance];
      closed.end_segment = index_;
      closed.end_instance = static_cast<std::uint32_t>(tree_.instances_.size());
    }
  }

  const Structure& structure_;
  const std::span<const std::uint32_t> segments_;
  GroupTree& tree_;
  std::array<Frame, kDepthMax> frames_;  ///< 0 … depth_ are in use
  std::size_t depth_ = 0;
  std::uint32_t index_ = 0;
  struct Again {
    std::uint32_t segment = 0;
    std::uint16_t symbol = kNoNode;  ///< kNoNode: none
    std::size_t level = 0;
    int position = 0;
  };
  Again again_;  ///< where the next segment of that kind goes
};

void match(const Structure* structure, std::span<const std::uint32_t> segments, GroupTree& tree) {
  tree.structure_ = structure;
  tree.instances_.clear();
  tree.placements_.clear();
  tree.unplaced_.clear();
  tree.placements_.reserve(segments.size());
  const auto count = static_cast<std::uint32_t>(segments.size());
  tree.instances_.push_back({kNoNode, kNoIndex, 1, 0, count, 1});
  if (structure != nullptr) {
    Matcher matcher(*structure, segments, tree);
    for (std::uint32_t i = 0; i < count; ++i) matcher.take(i);
    matcher.finish(count);
    return;
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const bool local = is_local(segments[i]);
    tree.placements_.push_back({0, kNoNode, local ? Placing::local : Placing::unplaced});
    if (!local) tree.unplaced_.push_back(i);
  }
}

StructureChoice choose_structure(const MessageTypeText& type, std::span<const std::uint32_t> segments) {
  const NearestVersion version = nearest_version(type.version);
  StructureChoice choice{.structure = nullptr, .version = version.version, .version_exact = version.exact};
  const Structure* named =
      type.structure.empty() ? nullptr : Structure::find(version.version, type.structure);
  const Structure* mapped = type.code == "ACK" ? Structure::find(version.version, "ACK") : nullptr;
  if (const Structure* found = Structure::find_event(version.version, type.code, type.trigger))
    mapped = found;
  if (mapped == nullptr && named == nullptr) mapped = Structure::find(version.version, type.code);

  choice.structure = mapped != nullptr ? mapped : named;
  if (named != nullptr && mapped != nullptr && named->id() != mapped->id()) {
    GroupTree by_name, by_event;
    match(named, segments, by_name);
    match(mapped, segments, by_event);
    if (by_name.unplaced().size() < by_event.unplaced().size()) choice.structure = named;
    choice.conflict = true;
  } else if (!type.structure.empty() && choice.structure != nullptr) {
    choice.conflict =
        choice.structure->id() != type.structure && choice.structure->variant() != type.structure;
  }
  return choice;
}

}  // namespace kiln::hl7
