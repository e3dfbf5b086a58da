#pragma once
// What a validator compares a message with: the dictionary of one version (or a profile over it), decoded
// once into flat arrays. Private to hl7/validation.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/dictionary/dictionary.h"
#include "hl7/profile.h"
#include "hl7/structure.h"

namespace kiln::hl7::detail {

/// What the text of a primitive must look like.
enum class Primitive : std::uint8_t { text, number, sequence_id, date, time, date_time };
/// A type with rules between its components, see condition_rule.cpp.
enum class TypeRule : std::uint8_t { none, coded, designator, identifier, structured_number };

struct CodeTable {
  std::string_view id, title;
  bool open = false;                    ///< codes are suggestions: user_table
  std::vector<std::string_view> codes;  ///< sorted; empty: nothing is known, everything fits
  /// Codes of up to 7 bytes as numbers, sorted: nearly all are, and nearly every value is looked up.
  std::vector<std::uint64_t> short_codes;
  void index();  ///< sorts `codes` and fills `short_codes`
  bool holds(std::string_view code) const;
};

inline constexpr std::uint16_t kNone16 = 0xFFFF;

/// A field of a segment, a component of a datatype, or a datatype by itself.
struct Element {
  std::string_view name, type;
  std::uint32_t first = 0, count = 0;  ///< its components in RuleSet::elements; none: a primitive
  std::uint32_t length_min = 0, length_max = kUnbounded;  ///< characters
  std::uint32_t repetition_min = 0, repetition_max = 1;
  std::uint16_t table = kNone16, condition = kNone16, constants = kNone16;  ///< positions in RuleSet
  Usage usage = Usage::optional;
  Primitive primitive = Primitive::text;
  TypeRule type_rule = TypeRule::none;
  bool varies = false;   ///< its type stands in another field
  bool opaque = false;   ///< nothing is known of its type: not looked into
  bool demands = false;  ///< one of the components must be there when the element is
};

struct SegmentRules {
  std::uint32_t id = 0;
  std::string_view title;
  std::uint32_t first = 0, count = 0;
  std::vector<std::uint16_t> wanted;  ///< positions (from 1) that need a look even when not valued
};

/// ProfileCondition with its path read.
struct CompiledTest {
  ProfileCondition::Kind kind = ProfileCondition::Kind::valued;
  std::uint32_t segment = 0, field = 0, component = 0, subcomponent = 0;
  std::vector<std::string> values;
  std::vector<CompiledTest> parts;
};
struct CompiledCondition {
  CompiledTest test;
  Usage then = Usage::required, otherwise = Usage::optional;
};

/// How often a node of the structure may stand in one instance of its group.
struct NodeRules {
  std::uint32_t min = 0, max = 1;
  Usage usage = Usage::optional;
  std::uint32_t segment = 0;  ///< position in RuleSet::segments + 1; 0: by name
};

class RuleSet {
 public:
  explicit RuleSet(Version version);
  /// Error bad_profile.
  static base::Result<std::unique_ptr<const RuleSet>> make(const Profile& profile);
  /// Compiled on first use, kept for the life of the process.
  static const RuleSet& standard(Version version);

  Version version() const { return version_; }
  const SegmentRules* find_segment(std::uint32_t id) const;
  const SegmentRules& segment_at(std::uint32_t position) const { return segments_[position]; }
  /// The datatype as an element; nullptr when the version has none of that name.
  const Element* find_type(std::string_view id) const;
  const Element& element(std::uint32_t index) const { return elements_[index]; }
  std::span<const Element> elements(std::uint32_t first, std::uint32_t count) const {
    return {elements_.data() + first, count};
  }
  const CodeTable& table(std::uint16_t position) const { return tables_[position]; }
  const CodeTable* find_table(std::string_view id) const;
  const CompiledCondition& condition(std::uint16_t position) const { return conditions_[position]; }
  const std::vector<std::string>& constants(std::uint16_t position) const { return constants_[position]; }

  /// The structure of the profile, or null: by the message.
  const Structure* structure() const { return structure_; }
  /// Per node of structure(), in its order; empty without a profile.
  std::span<const NodeRules> nodes() const { return nodes_; }
  const Profile* profile() const { return profile_; }

 private:
  friend class ProfileCompiler;
  struct Type {
    std::string_view id;
    Element element;
  };
  void add_tables();
  void add_types();
  void add_segments();
  Element make_element(const FieldDef& field, bool component) const;
  void set_type(Element& element, std::string_view type) const;
  void note_wanted(SegmentRules& segment);
  void note_demands(Element& element) const;
  std::uint16_t table_position(std::string_view id) const;

  Version version_;
  std::vector<Element> elements_;
  std::vector<Type> types_;             ///< sorted by id
  std::vector<SegmentRules> segments_;  ///< the standard's sorted by id, then those of places in a profile
  std::size_t named_segments_ = 0;      ///< how many of them find_segment() looks at
  std::vector<CodeTable> tables_;       ///< sorted by id
  std::vector<CompiledCondition> conditions_;
  std::vector<std::vector<std::string>> constants_;
  std::vector<NodeRules> nodes_;
  const Profile* profile_ = nullptr;
  const Structure* structure_ = nullptr;
  std::unique_ptr<const Structure> own_structure_;
};

}  // namespace kiln::hl7::detail
