#pragma once
// What is kept of a bulk job on disk, as JSON.

#include <string>
#include <vector>

#include "engine/base/clock.h"
#include "engine/bulk/export.h"

namespace kiln::engine {

struct JobNote {
  std::string owner, request;
  std::vector<std::string> filters;  ///< of _typeFilter
  ExportScope scope;
  ExportState state;
  base::WallTime transaction_time{}, finished{};  ///< finished 0: it runs
  std::string problem;
};

std::string print_job_note(const JobNote& note);
/// Errors: those of reading JSON.
base::Result<JobNote> parse_job_note(std::string_view text);
/// Puts the filters of _typeFilter into a scope. Errors: those of parse_criteria().
base::Status set_filters(ExportScope& scope, const std::vector<std::string>& filters, const std::string& own_base);

}  // namespace kiln::engine
