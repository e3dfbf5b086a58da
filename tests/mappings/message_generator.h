#pragma once
// HL7 v2 messages made by the dictionary alone: every segment and field may occur, values have the form of
// their datatype, codes come from their tables. The same seed gives the same messages.

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "hl7/dictionary/dictionary.h"

namespace kiln::mappings::test {

class MessageGenerator {
 public:
  MessageGenerator(hl7::Version version, std::uint32_t seed) : dictionary_(version), random_(seed) {}

  /// A message of a structure ("ADT_A01") and event ("A04"), CR-ended.
  std::string message(const hl7::StructureDef& structure, std::string_view event);
  /// The same message with up to four things wrong: parts missing, doubled, null, foreign bytes, wrong codes.
  std::string perturbed(std::string message);

 private:
  std::size_t below(std::size_t bound) { return bound == 0 ? 0 : random_() % bound; }
  bool chance(std::size_t percent) { return below(100) < percent; }
  void nodes(const hl7::RecordList<hl7::NodeDef>& list, std::string& out);
  void node(const hl7::NodeDef& node, std::string& out);
  void segment(std::string_view id, std::string& out);
  std::string field(const hl7::FieldDef& field, std::size_t depth);
  std::string primitive(std::string_view datatype, std::string_view table);
  std::string word();
  std::string date(std::size_t digits);

  hl7::Dictionary dictionary_;
  std::mt19937 random_;
  std::string header_;
  std::string value_type_;  ///< OBX-2 of the segment that is made
  unsigned index_ = 0;
};

}  // namespace kiln::mappings::test
