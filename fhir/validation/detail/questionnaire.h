#pragma once
// What an item of a questionnaire says about one answer. Private to fhir/validation.

#include "fhir/validation/detail/session.h"

namespace kiln::fhir::detail {

/// The value of the item's extension whose url ends with `name`; absent when there is none.
Node item_extension(Node item, std::string_view name);
/// Type, options, limits and form of one answer (QuestionnaireResponse.item.answer). `questionnaire` holds contained
/// value sets.
void check_answer(Session& session, Node answer, Node item, Node questionnaire);
/// Two answers, or an answer and an option, mean the same.
bool same_answer(Node a, Node b);
/// The item's enableWhen, or the expression in its place, holds for the answers of the response. `at` is the response's item (or the element that would
/// hold it); a condition that cannot be evaluated counts as true.
bool is_enabled(Session& session, Node item, Node at);

}  // namespace kiln::fhir::detail
