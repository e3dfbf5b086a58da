#pragma once
// overlay/decisions.csv: what people decided about rows of the guide.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln::mappings {

struct Decision {
  std::string status;  ///< "overlaid", "deferred", "rejected-as-defect"
  std::string where;   ///< declarations that hold the rows, joined by "+"; "language"; or ""
  std::string reason;
};

/// Lines of kind,map,row,status,where,reason. The row is a number, a list of numbers and ranges ("5 7-9"), or
/// "*" for every row of the sheet that no other line names.
class Decisions {
 public:
  Decisions() = default;
  explicit Decisions(std::string_view text);

  /// The line that names this row.
  const Decision* row(std::string_view kind, std::string_view map, int row) const;
  /// The line "*" of the sheet.
  const Decision* sheet(std::string_view kind, std::string_view map) const;

 private:
  std::map<std::string, Decision> rows_;
};

/// Cells of one line of CSV as this project writes it: no quotes inside quotes, no line breaks.
std::vector<std::string> csv_cells(std::string_view line);
std::vector<std::string_view> lines_of(std::string_view text);

}  // namespace kiln::mappings
