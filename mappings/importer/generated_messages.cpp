#include "mappings/importer/generated_messages.h"

#include <algorithm>
#include <optional>

#include "engine/base/text.h"
#include "fhir/definitions/definitions.h"
#include "mappings/importer/code_tables.h"
#include "mappings/importer/guide_path.h"

namespace kiln::mappings {
namespace {

/// "PID: hl7 PID" of each parameter; nothing when one of them is no segment.
std::optional<std::vector<std::string>> segments_of(std::string_view fragment) {
  const std::size_t open = fragment.find('('), close = fragment.find(')');
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  std::vector<std::string> out;
  for (const std::string_view part : base::split(fragment.substr(open + 1, close - open - 1), ',')) {
    const std::string_view param = base::trim(part);
    const bool segment =
        param.size() == 12 && param.substr(3, 6) == ": hl7 " && param.substr(0, 3) == param.substr(9);
    if (!segment) return std::nullopt;
    out.emplace_back(param);
  }
  return out;
}

class Maker {
 public:
  Maker(const GuideSheet& sheet, std::span<const LibraryPiece> pieces, std::map<int, std::string>& by_hand)
      : sheet_(sheet), pieces_(pieces), by_hand_(by_hand) {}

  void add(const GuideRow& row) {
    const auto steps = guide_steps(row.target);
    const bool resource = steps && steps->size() == 1 && fhir::find_resource_type(steps->front().name);
    if (!resource) return give_up(row, "writes a part of a resource, or points to one");
    if (!row.narrative.empty()) return give_up(row, "a condition that people decide");
    if (!row.condition.empty()) return give_up(row, "a condition that creates or leaves out a resource");
    const std::string name = table_name(row.map);
    const auto piece = std::find_if(pieces_.begin(), pieces_.end(), [&](const LibraryPiece& other) {
      return other.name == "fragment " + name;
    });
    if (row.map.empty() || piece == pieces_.end()) return give_up(row, "no segment map of that name");
    const auto parameters = segments_of(piece->text);
    if (!parameters) return give_up(row, "the segment map needs more than segments");
    Entry& entry = entry_of(steps->front());
    for (const std::string& parameter : *parameters) {
      if (std::find(entry.parameters.begin(), entry.parameters.end(), parameter) == entry.parameters.end())
        entry.parameters.push_back(parameter);
    }
    entry.body += "  include " + name + "  // row " + std::to_string(row.row) + "\n";
    entry.rows.push_back(row.row);
  }

  std::vector<MessageFragment> finish() const {
    std::vector<MessageFragment> out;
    for (const Entry& entry : entries_) {
      const std::string index = entry.target.index == "1" ? "" : entry.target.index;
      std::string parameters;
      for (const std::string& parameter : entry.parameters)
        parameters += (parameters.empty() ? "" : ", ") + parameter;
      const std::string name = sheet_.name + "_" + entry.target.name + index;
      out.push_back({name,
                     "\nfragment " + name + "(" + parameters + ") -> " + entry.target.name + " {\n" +
                         entry.body + "}\n",
                     entry.rows});
    }
    return out;
  }

 private:
  struct Entry {
    GuideStep target;
    std::vector<std::string> parameters;
    std::string body;
    std::vector<int> rows;
  };

  void give_up(const GuideRow& row, const char* reason) { by_hand_.emplace(row.row, reason); }

  Entry& entry_of(const GuideStep& target) {
    const auto same = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.target.name == target.name && entry.target.index == target.index;
    });
    if (same != entries_.end()) return *same;
    return entries_.emplace_back(Entry{target, {}, {}, {}});
  }

  const GuideSheet& sheet_;
  std::span<const LibraryPiece> pieces_;
  std::map<int, std::string>& by_hand_;
  std::vector<Entry> entries_;
};

}  // namespace

std::vector<MessageFragment> message_fragments(const GuideSheet& sheet, std::span<const LibraryPiece> pieces,
                                               const std::function<bool(int)>& left_out,
                                               std::map<int, std::string>& by_hand) {
  Maker maker(sheet, pieces, by_hand);
  for (const GuideRow& row : sheet.rows)
    if (!row.target.empty() && !left_out(row.row)) maker.add(row);
  return maker.finish();
}

}  // namespace kiln::mappings
