#pragma once
// The `validate` block of sources of HL7 v2: option rows, and from them to validators.

#include <string>
#include <utility>
#include <vector>

#include "channels/detail/site_builder.h"
#include "channels/field_spec.h"
#include "engine/base/env.h"

namespace kiln::channels::detail {

inline constexpr const char* kRuleLevels[] = {"error", "warning", "note", "off"};
inline constexpr const char* kOnErrorWords[] = {"reject", "quarantine"};

constexpr FieldSpec rule_field(const char* name, const char* summary, const char* level) {
  return {.name = name,
          .type = FieldType::word,
          .summary = summary,
          .default_value = level,
          .words = kRuleLevels};
}

inline constexpr FieldSpec kValidateFields[] = {
    {.name = "on_error",
     .type = FieldType::word,
     .summary = "a message with errors is answered AE or AR with ERR segments, or set aside and answered AA",
     .default_value = "reject",
     .words = kOnErrorWords},
    rule_field("structure", "segments and groups that are missing or out of order", "error"),
    rule_field("required", "required fields and components", "error"),
    rule_field("cardinality", "number of repetitions", "error"),
    rule_field("usage", "withdrawn or not supported elements", "warning"),
    rule_field("length", "characters", "warning"),
    rule_field("datatype", "form of numbers, dates and times", "error"),
    rule_field("table", "codes of HL7 tables", "error"),
    rule_field("user_table", "codes of user-defined tables", "warning"),
    rule_field("condition", "conditional elements", "error"),
    rule_field("constant", "values that a profile fixes", "error"),
    rule_field("undefined", "segments, fields and components beyond the definition", "warning"),
    {.name = "at",
     .type = FieldType::string,
     .summary = "another level for a place and what is below it, for all rules or one: \"PID-8 off\", "
                "\"OBX-5 datatype warning\"",
     .repeated = true},
};

/// `validate standard { … }` or `validate "profiles/lab.json" { … }`.
inline constexpr FieldSpec kValidateOption = {
    .name = "validate",
    .type = FieldType::named_block,
    .summary = "check messages against the `standard` or the file of a profile before they are mapped",
    .fields = kValidateFields};

/// Makes the validators of all channels, reading their profiles below `folder`. Reports E0917 where a profile
/// cannot be read or used. What was read is appended to `files`, each once, as (name, text).
void load_validators(PendingSite& site, const std::string& folder, base::Env& env,
                     base::Diagnostics& diagnostics, std::vector<std::pair<std::string, std::string>>& files);

}  // namespace kiln::channels::detail
