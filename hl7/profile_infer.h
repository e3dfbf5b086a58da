#pragma once
// A profile from samples: what the messages of an interface have in common, as a first draft to be reviewed.

#include <cstdint>
#include <map>
#include <string>

#include "hl7/dictionary/dictionary.h"
#include "hl7/message.h"
#include "hl7/profile.h"
#include "hl7/structure.h"

namespace kiln::hl7 {

struct InferOptions {
  /// From how many messages on a difference to the standard counts: usage R, a constant, a table.
  std::size_t samples_min = 3;
  /// What was never valued becomes not supported (X) instead of staying as the standard has it.
  bool strict = false;
};

/// Watches messages of one structure and says what they have in common: usage (R valued everywhere, RE valued
/// now and then), repetitions, lengths, codes with how often they were seen, constants. Codes and constants
/// are taken only where the standard has a table or the value names a system, never from names, identifiers
/// or texts, so that a profile holds nothing about patients. Memory: bounded by the places of the standard
/// and kInferredValuesMax values each. One thread at a time.
class ProfileInference {
 public:
  explicit ProfileInference(InferOptions options = {}) : options_(options) {}

  /// False for a message of another structure or version than the first one: it is not counted.
  bool add(const Message& message);
  std::size_t messages() const { return messages_; }

  /// Error bad_value without messages.
  base::Result<Profile> result(std::string name) const;

 private:
  struct Place {
    std::uint32_t segment, field, component;  ///< component 0: the field
    auto operator<=>(const Place&) const = default;
  };
  struct Seen {
    std::uint64_t valued = 0;  ///< in how many segments (fields) or repetitions (components)
    std::uint32_t most = 0;    ///< repetitions of a field
    std::uint64_t parts = 0;   ///< valued repetitions of a field
    std::uint32_t length_min = kUnbounded, length_max = 0;
    std::map<std::string, std::uint64_t> values;
    bool many_values = false;  ///< more than are counted
  };
  /// A segment or group of the structure, over all instances of the group it stands in.
  struct SeenNode {
    std::uint64_t chances = 0, present = 0;
    std::uint32_t most = 0;
  };

  void add_nodes(const GroupTree& tree);
  void add_field(const SegmentView& segment, std::uint32_t n, const FieldDef& field);
  void add_part(const Place& place, const Piece& part, bool coded);
  void infer_nodes(Profile& profile) const;
  void infer_element(const Place& place, const Seen& seen, Profile& profile) const;
  void infer_absent(Profile& profile) const;
  void infer_values(const Seen& seen, ProfileRule& rule, Profile& profile) const;

  InferOptions options_;
  std::size_t messages_ = 0;
  Version version_ = Version::v2_5_1;
  const Structure* structure_ = nullptr;
  std::map<NodeIndex, SeenNode> nodes_;
  std::map<std::uint32_t, std::uint64_t> segments_;  ///< of each id
  std::map<std::string, std::uint64_t> events_;      ///< MSH-9.2
  std::map<Place, Seen> seen_;
  std::string buffer_;
};

}  // namespace kiln::hl7
