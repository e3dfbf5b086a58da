#include "hl7/group_path.h"

#include <algorithm>

namespace kiln::hl7 {

using base::ErrorCode;
using base::Result;

namespace {

/// The first `c` outside of brackets, from `from` on.
std::size_t find_outside(std::string_view text, char c, std::size_t from) {
  int depth = 0;
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text[i] == '[') ++depth;
    if (text[i] == ']') --depth;
    if (depth == 0 && text[i] == c) return i;
  }
  return text.npos;
}

tl::unexpected<base::Error> bad(std::string what, std::size_t column) {
  return base::fail(ErrorCode::bad_path, std::move(what), "column " + std::to_string(column));
}

}  // namespace

Result<GroupPath::Step> GroupPath::read_step(std::string_view text, std::size_t column) {
  Step step;
  const std::size_t bracket = std::min(text.find('['), text.size());
  step.name = text.substr(0, bracket);
  const bool named = !step.name.empty() && std::all_of(step.name.begin(), step.name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!named) return bad("a group or segment name is expected", column);
  if (bracket == text.size()) return step;
  if (!text.ends_with(']')) return bad("the bracket is not closed", column + bracket);
  const std::string_view index = text.substr(bracket + 1, text.size() - bracket - 2);
  if (index == "*") {
    step.kind = Step::Kind::all;
  } else if (index == "last") {
    step.kind = Step::Kind::last;
  } else {
    std::uint32_t number = 0;
    for (const char c : index) {
      if (c < '0' || c > '9' || number > 1'000'000)
        return bad("an index is a number from 1, last or *", column + bracket + 1);
      number = number * 10 + static_cast<std::uint32_t>(c - '0');
    }
    if (number == 0) return bad("an index is a number from 1, last or *", column + bracket + 1);
    step.number = number;
  }
  return step;
}

Result<GroupPath> GroupPath::compile(std::string_view text) {
  const std::size_t dash = std::min(find_outside(text, '-', 0), text.size());
  const std::string_view places = text.substr(0, dash);
  std::vector<Step> steps;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = std::min(find_outside(places, '.', begin), places.size());
    if (end == places.size()) break;
    TRY(steps.emplace_back(), read_step(places.substr(begin, end - begin), begin + 1));
    begin = end + 1;
  }
  auto flat = Path::compile(text.substr(begin));
  if (!flat) {
    base::Error why = flat.error();
    if (begin != 0) why.place += " behind the groups";
    return base::fail(std::move(why));
  }
  GroupPath path(std::move(*flat));
  path.text_ = text;
  path.groups_ = std::move(steps);
  if (path.groups_.empty()) return path;
  TRY(path.segment_, read_step(places.substr(begin), begin + 1));
  path.rest_ = text.substr(dash);
  return path;
}

template <class T>
std::vector<T> GroupPath::choose(const std::vector<T>& all, const Step& step) {
  if (step.kind == Step::Kind::all) return all;
  if (all.empty()) return {};
  if (step.kind == Step::Kind::last) return {all.back()};
  if (step.number > all.size()) return {};
  return {all[step.number - 1]};
}

std::vector<std::uint32_t> GroupPath::segments(const Message& message, const GroupTree& tree) const {
  std::vector<std::uint32_t> out;
  if (groups_.empty()) {
    const SegmentView segment = flat_.segment(message);
    if (segment.exists()) out.push_back(segment.index());
    return out;
  }
  const Structure* const structure = tree.structure();
  if (structure == nullptr || tree.instances().empty()) return out;
  const auto instances = tree.instances();
  std::vector<std::uint32_t> at{0};
  for (const Step& step : groups_) {
    std::vector<std::uint32_t> next;
    for (const std::uint32_t instance : at) {
      const NodeIndex node = structure->find_group(instances[instance].node, step.name);
      if (node == kNoNode) continue;
      std::vector<std::uint32_t> found;
      for (std::uint32_t i = instance + 1; i < instances[instance].end_instance; ++i)
        if (instances[i].node == node) found.push_back(i);
      for (const std::uint32_t chosen : choose(found, step)) next.push_back(chosen);
    }
    at = std::move(next);
  }
  for (const std::uint32_t instance : at) {
    std::vector<std::uint32_t> direct, below;
    for (std::uint32_t i = instances[instance].first_segment; i < instances[instance].end_segment; ++i) {
      if (message.segment(i).id() != flat_.segment_id()) continue;
      (tree.placements()[i].instance == instance ? direct : below).push_back(i);
    }
    for (const std::uint32_t chosen : choose(direct.empty() ? below : direct, segment_))
      out.push_back(chosen);
  }
  return out;
}

void GroupPath::visit(const Message& message, const GroupTree& tree,
                      const std::function<bool(const Piece&)>& visitor) const {
  if (groups_.empty()) return flat_.visit(message, visitor);
  bool more = true;
  for (const std::uint32_t index : segments(message, tree)) {
    const SegmentView segment = message.segment(index);
    const auto path = Path::compile(segment_.name + "[" + std::to_string(segment.occurrence()) + "]" + rest_);
    if (!path) return;  // compile() has read the same text with another number
    path->visit(message, [&](const Piece& piece) {
      more = visitor(piece);
      return more;
    });
    if (!more) return;
  }
}

}  // namespace kiln::hl7
