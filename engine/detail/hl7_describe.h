#pragma once
// Pages of the HL7 v2 dictionary for `kiln hl7 describe`: made once, printed as text or JSON.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "engine/detail/hl7_cli.h"
#include "hl7/dictionary/dictionary.h"

namespace kiln::engine::detail {

struct DescribeSection {
  std::string name;  ///< "components", "codes", "nodes"
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

struct DescribePage {
  std::string kind;  ///< "segment", "field", "component", "datatype", "structure", "event", "table", "list"
  std::string id, title;
  hl7::Version version;
  std::vector<std::pair<std::string, std::string>> facts;  ///< in the order they are shown
  std::vector<DescribeSection> sections;
};

/// PID, PID-3, PID-3.4.2, CX, CX.4, ADT_A01, ADT^A04, 0001, HL70001, "table 0001". Error bad_value with what
/// may have been meant, or the version that has it.
base::Result<DescribePage> describe(std::string_view what, hl7::Version version);
/// segments, datatypes, structures, tables, events or versions. Error bad_value.
base::Result<DescribePage> describe_list(std::string_view what, hl7::Version version);

std::string print_page(const DescribePage& page, const Paint& paint);
std::string print_page_json(const DescribePage& page);

}  // namespace kiln::engine::detail
