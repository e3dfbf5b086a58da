#include "engine/journal/journal.h"

namespace kiln::engine {
namespace {

constexpr const char* kStates[] = {"sent", "filtered", "rejected", "quarantined", "expired", "removed"};
constexpr const char* kHoldStates[] = {"running", "paused", "stopped", "blocked"};
constexpr const char* kResolutions[] = {"open", "resolved", "released", "dropped"};
constexpr const char* kJobStates[] = {"running", "paused", "finished", "cancelled", "failed"};

template <class E, std::size_t N>
std::optional<E> by_name(const char* const (&names)[N], std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i]) return static_cast<E>(i);
  return std::nullopt;
}

}  // namespace

const char* name_of(DeliveryState state) {
  return kStates[static_cast<std::size_t>(state)];
}

std::optional<DeliveryState> delivery_state(std::string_view name) {
  return by_name<DeliveryState>(kStates, name);
}

const char* name_of(HoldState state) {
  return kHoldStates[static_cast<std::size_t>(state)];
}

std::optional<HoldState> hold_state(std::string_view name) {
  return by_name<HoldState>(kHoldStates, name);
}

const char* name_of(Resolution resolution) {
  return kResolutions[static_cast<std::size_t>(resolution)];
}

std::optional<Resolution> resolution_of(std::string_view name) {
  return by_name<Resolution>(kResolutions, name);
}

const char* name_of(JobState state) {
  return kJobStates[static_cast<std::size_t>(state)];
}

std::optional<JobState> job_state(std::string_view name) {
  return by_name<JobState>(kJobStates, name);
}

}  // namespace kiln::engine
