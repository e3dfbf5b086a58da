#pragma once
// Searching by a name is seeing a name: terms about content need the right to see content.

#include <string>
#include <string_view>

#include "engine/admin/route.h"

namespace kiln::engine {

/// Error: right_missing when `query` has terms about content (name, mrn, account, text, path) and the caller lacks phi.view.
/// A query that cannot be read is nobody's secret: who runs it says what is wrong.
base::Status check_query(const Call& call, std::string_view query);
/// The query as the caller may see it: one about content is not shown to who lacks phi.view.
std::string shown_query(const Caller& caller, std::string_view query);
/// A job of print(), or {"jobs":[…]} of them, with each query as the caller may see it.
std::string shown_jobs(const Caller& caller, std::string json);

/// `name=value` as the trail keeps it, where the next one begins behind "; ": a value that could be taken for more is quoted.
std::string print_detail(std::string_view name, std::string_view value);
/// What a record says, as the caller may see it: not the terms about content of searches and of the FHIR browser to who lacks
/// phi.view.
std::string shown_detail(const Caller& caller, std::string_view action, std::string_view detail);

}  // namespace kiln::engine
