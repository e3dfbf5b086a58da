#include "fhir/path/detail/evaluator.h"

namespace kiln::fhir::detail {

/// Equal items have equal hashes; kinds whose equality is not that of their text share one.
std::uint64_t ItemSet::hash(const PathItem& item) {
  constexpr std::uint64_t kNumber = 1, kOther = 2;
  switch (item.kind()) {
    case PathKind::string:
      return std::hash<std::string_view>{}(item.text());
    case PathKind::integer:
      return kNumber + (std::hash<std::string>{}(std::to_string(item.integer())) << 2);
    case PathKind::decimal: {
      const auto number = decimal_of(item);
      return number ? kNumber + (std::hash<std::string>{}(trimmed_decimal(*number)) << 2) : kNumber;
    }
    case PathKind::boolean:
      return item.boolean() ? 3 : 4;
    case PathKind::node: {
      std::uint64_t count = 0;
      for (const Node child : item.node()) count = count * 31 + child.name_id();
      return 5 + (count << 3);
    }
    default:
      return kOther;
  }
}

void ItemSet::index(std::size_t position) {
  by_hash_.emplace(hash(items_[position]), position);
}

bool ItemSet::find(const PathItem& item, bool& found) {
  found = false;
  const PathItem value = ev_.value(item);
  Tri same = Tri::empty;
  if (by_hash_.empty()) {
    for (const PathItem& known : items_) {
      if (!ev_.equal(known, value, same)) return false;
      if (same == Tri::yes) return found = true;
    }
    return true;
  }
  const auto [begin, end] = by_hash_.equal_range(hash(value));
  for (auto at = begin; at != end; ++at) {
    if (!ev_.equal(items_[at->second], value, same)) return false;
    if (same == Tri::yes) return found = true;
  }
  return true;
}

bool ItemSet::insert(const PathItem& item, bool& fresh) {
  bool found = false;
  if (!find(item, found)) return false;
  fresh = !found;
  if (found) return true;
  items_.push_back(ev_.value(item));
  if (!by_hash_.empty()) {
    index(items_.size() - 1);
  } else if (items_.size() > kSmall) {
    for (std::size_t i = 0; i < items_.size(); ++i) index(i);
  }
  return true;
}

bool Evaluator::unite(const Collection& a, const Collection& b, Collection& out) {
  ItemSet seen(*this);
  for (const Collection* side : {&a, &b}) {
    for (const PathItem& item : *side) {
      bool fresh = false;
      if (!step() || !seen.insert(item, fresh)) return false;
      if (fresh) out.push(item);
    }
  }
  return true;
}

}  // namespace kiln::fhir::detail
