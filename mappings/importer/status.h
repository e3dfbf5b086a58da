#pragma once
// What the shipped library makes of each row of the guide: STATUS.csv.

#include <span>
#include <string>
#include <string_view>

#include "engine/base/embedded_file.h"
#include "mappings/importer/guide.h"

namespace kiln::mappings {

/// STATUS.csv: kind,map,row,source,target,status,where,reason. The status is found by looking, not by promise:
/// `generated` rows are in gen/, an `overlaid` row has a rule written by hand that names it (named_rows.h), or is
/// what the language does anyway (`language`); `where` is the file and the address of that rule. Every other row
/// with a target is `deferred`, or `rejected-as-defect` where overlay/decisions.csv says why. `no-target`: the
/// guide maps nothing there.
std::string status_csv(std::span<const GuideSheet> sheets, std::span<const base::EmbeddedFile> library,
                       std::string_view decisions);

/// "implements N of M rows of the guide: …", from the text of a STATUS.csv.
std::string status_sum(std::string_view status);

/// The shipped STATUS.csv.
std::string_view shipped_status();

}  // namespace kiln::mappings
