#include "fhir/detail/history.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {{"GET /_history?_count=10", "all changes, newest first"}};

}  // namespace

const Interaction& history_system_spec() {
  static const Interaction spec{.name = "history",
                                .summary = "all changes, newest first",
                                .capability = "history-system",
                                .method = "GET",
                                .shape = PathShape::system_history,
                                .examples = kExamples,
                                .run = detail::run_history};
  return spec;
}

}  // namespace kiln::fhir
