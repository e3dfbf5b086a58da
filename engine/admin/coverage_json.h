#pragma once
// GET /api/v1/coverage, and the same form for files: which fields the maps read and what they had to say.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/json.h"
#include "mappings/field_coverage.h"

namespace kiln::engine {

class ChannelRuntime;

/// One member of "channels". `messages`: how many came; fields of FieldCoverage::messages_looked_at() of them
/// were looked at.
void write_coverage(base::JsonWriter& json, std::string_view name, std::uint64_t messages,
                    const mappings::FieldCoverage& coverage);

/// {"channels": […]}, since the start of the engine.
std::string print_coverage(const std::vector<std::unique_ptr<ChannelRuntime>>& channels);

}  // namespace kiln::engine
