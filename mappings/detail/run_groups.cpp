// Segments and groups by the structure of the map (hmap.md §3). Placement is lenient and belongs to
// hl7/structure.h.

#include "hl7/structure.h"
#include "mappings/detail/run.h"

namespace kiln::mappings::detail {
namespace {

constexpr std::int32_t kMissing = -1;
constexpr std::uint32_t kMessage = 0;  // the instance that is the message itself

std::int32_t as_register(std::uint32_t index) {
  return index == hl7::kNoIndex ? kMissing : static_cast<std::int32_t>(index);
}

}  // namespace

void Run::match_groups(const hl7::Structure* structure) {
  segment_ids_.clear();
  for (std::uint32_t i = 0; i < message_->segment_count(); ++i)
    segment_ids_.push_back(message_->segment(i).id());
  hl7::match(structure, segment_ids_, groups_);
}

/// Follows `path` from an instance; kNoIndex when a group on it is missing.
std::uint32_t Run::descend(std::uint32_t instance, ir::Range path) const {
  for (ir::Index i = 0; i < path.count && instance != hl7::kNoIndex; ++i) {
    const ir::GroupStep& step = unit_->group_steps[path.first + i];
    instance = groups_.find_group(instance, step.node, step.occurrence);
  }
  return instance;
}

std::int32_t Run::group_of(ir::Index ref) {
  return ref == ir::kNone ? static_cast<std::int32_t>(kMessage) : group_registers_[ref - group_base_];
}

/// First segment with the id in the instance: directly in it, a Z segment anywhere in it.
std::uint32_t Run::find_by_id(std::uint32_t instance, std::uint32_t id, std::uint32_t from,
                              std::uint32_t occurrence) const {
  const hl7::GroupInstance& in = groups_.instances()[instance];
  const bool anywhere = (id >> 16) == 'Z';
  std::uint32_t seen = 0;
  for (std::uint32_t i = std::max(from, in.first_segment); i < in.end_segment; ++i) {
    if (segment_ids_[i] != id || (!anywhere && groups_.placements()[i].instance != instance)) continue;
    if (++seen == occurrence) return i;
  }
  return hl7::kNoIndex;
}

std::int32_t Run::find_segment(const ir::SegmentRef& ref) {
  std::uint32_t instance = kMessage;
  if (ref.base == ir::BaseKind::segment_loop) return kMissing;  // the loop fills it
  if (ref.base == ir::BaseKind::group_loop) {
    const std::int32_t current = group_of(ref.group);
    if (current < 0) return kMissing;
    instance = static_cast<std::uint32_t>(current);
  }
  instance = descend(instance, ref.path);
  if (instance == hl7::kNoIndex) return kMissing;
  if (ref.node == ir::kNoSlot) return as_register(find_by_id(instance, ref.id, 0, ref.occurrence));
  return as_register(groups_.find_segment(instance, ref.node, ref.occurrence));
}

void Run::note_segment(std::uint32_t segment, std::string_view code, std::string_view what) {
  constexpr std::size_t kDiagnosticsKept = 100;
  if (notes_ >= kDiagnosticsKept) {
    ++result_.dropped_diagnostics;
    return;
  }
  const hl7::SegmentView view = message_->segment(segment);
  const bool strict = context_->strict || map_->strict;
  if (strict && result_.outcome == Outcome::ok) result_.outcome = Outcome::ok_with_warnings;
  std::string place(view.name());
  place.append("[").append(std::to_string(view.occurrence())).append("]");
  next_diagnostic() = {strict ? RunDiagnostic::Level::warning : RunDiagnostic::Level::note,
                       code,
                       std::string(what),
                       {},
                       std::move(place),
                       {}};
}

/// A segment that fits nowhere, or that no rule looked at, does not disappear silently.
void Run::note_unplaced() {
  for (const std::uint32_t segment : groups_.unplaced()) {
    if (segments_[segment].opened) continue;  // a map that declares it has read it where it stands
    note_segment(segment, "unplaced-segment", "the segment fits nowhere in the structure");
  }
  for (std::uint32_t i = 1; i < segments_.size(); ++i) {
    if (segments_[i].opened || groups_.placements()[i].placing == hl7::Placing::unplaced) continue;
    note_segment(i, "unread-segment", "no rule of the map read this segment");
  }
}

void Run::loop_groups(const ir::Loop& loop) {
  const ir::GroupRef& ref = unit_->group_refs[loop.source];
  const std::int32_t parent = group_of(ref.parent);
  if (parent < 0) return;
  const std::uint32_t start = descend(static_cast<std::uint32_t>(parent), ref.path);
  if (start == hl7::kNoIndex) return;
  std::int32_t& current = group_registers_[loop.source - group_base_];
  const std::int32_t outer = current;
  std::uint32_t number = 0;
  for (std::uint32_t at = groups_.find_group(start, ref.node); at != hl7::kNoIndex;
       at = groups_.next_group(at)) {
    current = static_cast<std::int32_t>(at);
    reset(loop.reset_segments);
    if (!iterate(loop, number)) break;
  }
  current = outer;
  reset(loop.reset_segments);
}

void Run::loop_segments(const ir::Loop& loop) {
  const ir::SegmentRef& ref = unit_->segment_refs[loop.source];
  std::int32_t base = ref.group == ir::kNone ? 0 : group_of(ref.group);
  if (base < 0) return;
  const std::uint32_t instance = descend(static_cast<std::uint32_t>(base), ref.path);
  if (instance == hl7::kNoIndex) return;
  std::int32_t& current = segment_registers_[loop.source - segment_base_];
  const std::int32_t outer = current;
  std::uint32_t number = 0;
  const bool by_id = ref.node == ir::kNoSlot;
  std::uint32_t at = by_id ? find_by_id(instance, ref.id, 0, 1) : groups_.find_segment(instance, ref.node);
  while (at != hl7::kNoIndex) {
    reset(loop.reset_segments);
    current = static_cast<std::int32_t>(at);
    if (!iterate(loop, number)) break;
    at = by_id ? find_by_id(instance, ref.id, at + 1, 1) : groups_.next_segment(at);
  }
  current = outer;
  reset(loop.reset_segments);
}

void Run::reset(ir::Range segments) {
  for (ir::Index i = 0; i < segments.count; ++i) {
    segment_registers_[unit_->resets[segments.first + i] - segment_base_] = kUnknownSegment;
  }
}

}  // namespace kiln::mappings::detail
