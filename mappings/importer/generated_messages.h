#pragma once
// gen/messages.hmap: which segments of a message make up one resource, as the guide's message tables say it.

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mappings/importer/guide.h"
#include "mappings/importer/library_pieces.h"

namespace kiln::mappings {

struct MessageFragment {
  std::string name;  ///< "ADT_A01_Patient", "ORU_R01_Observation2"
  std::string text;  ///< the declaration
  std::vector<int> rows;
};

/// One fragment for each resource of the sheet with the segment maps of its rows, where a row has no
/// condition and its segment map is a fragment of the library that needs nothing but segments. `by_hand` gets
/// the reason for every other row.
std::vector<MessageFragment> message_fragments(const GuideSheet& sheet, std::span<const LibraryPiece> pieces,
                                               const std::function<bool(int)>& left_out,
                                               std::map<int, std::string>& by_hand);

}  // namespace kiln::mappings
