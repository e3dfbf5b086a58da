#include "fhir/detail/history.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {
    {"GET /Patient/_history?_since=2024-01-01T00:00:00Z", "all changes of a type, newest first"}};

}  // namespace

const Interaction& history_type_spec() {
  static const Interaction spec{.name = "history",
                                .summary = "all changes of a type, newest first",
                                .capability = "history-type",
                                .method = "GET",
                                .shape = PathShape::type_history,
                                .examples = kExamples,
                                .run = detail::run_history};
  return spec;
}

}  // namespace kiln::fhir
