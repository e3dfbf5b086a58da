#pragma once
// What is written to a place once, and found when the same is asked for again.

#include "mappings/detail/run.h"

namespace kiln::mappings::detail {

/// What `make` writes to `dest`, which takes an object; true when something is there.
template <class Make>
bool Run::emit_once(std::uint64_t maker, std::span<const Value> arguments, Dest& dest, const Make& make) {
  ObjectCall call;
  if (const KeptObject* const known = begin_object(maker, rule_, arguments, call)) {
    use_object(*known, call, dest.list != nullptr ? append_item(arena_, *dest.list) : *dest.node);
    return true;
  }
  const std::uint32_t items = dest.list != nullptr && dest.list->kind == NodeKind::list ? dest.list->size : 0;
  const bool wrote = make();
  const bool one = wrote && (dest.list == nullptr || dest.list->size == items + 1);
  end_object(call, !one ? nullptr : dest.list != nullptr ? dest.list->last : dest.node, 0);
  return wrote;
}

}  // namespace kiln::mappings::detail
