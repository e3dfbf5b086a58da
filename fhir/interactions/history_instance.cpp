#include "fhir/detail/history.h"

namespace kiln::fhir {
namespace {

constexpr InteractionExample kExamples[] = {
    {"GET /Patient/p1/_history", "all versions of one resource, newest first"}};

}  // namespace

const Interaction& history_instance_spec() {
  static const Interaction spec{.name = "history",
                                .summary = "all versions of one resource, newest first",
                                .capability = "history-instance",
                                .method = "GET",
                                .shape = PathShape::instance_history,
                                .examples = kExamples,
                                .run = detail::run_history};
  return spec;
}

}  // namespace kiln::fhir
