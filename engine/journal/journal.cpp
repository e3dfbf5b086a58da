#include "engine/journal/journal.h"

namespace kiln::engine {
namespace {

constexpr const char* kStates[] = {"sent", "filtered", "rejected", "quarantined", "expired", "removed"};

}  // namespace

const char* name_of(DeliveryState state) {
  return kStates[static_cast<std::size_t>(state)];
}

std::optional<DeliveryState> delivery_state(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kStates); ++i)
    if (name == kStates[i]) return static_cast<DeliveryState>(i);
  return std::nullopt;
}

}  // namespace kiln::engine
