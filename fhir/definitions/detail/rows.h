#pragma once
// The packed form of the definitions: integer rows that index each other and one string pool. No pointers, so
// the tables need no relocation at start and live in read-only pages. The generator prints exactly these
// aggregates. Private: everybody else reads them through fhir/definitions/definitions.h.

#include <cstdint>

namespace kiln::fhir::detail {

inline constexpr std::uint16_t kNone = 0xffff;

/// A piece of the string pool.
struct Text {
  std::uint32_t begin;
  std::uint16_t size;
};

/// `count` rows of some other table, from `begin`.
struct Slice {
  std::uint16_t begin;
  std::uint16_t count;
};

struct TypeRow {
  Text name;
  std::uint8_t kind;
  bool is_abstract;
  std::uint16_t base;  ///< row of type; kNone for Element and Resource
  Slice elements;
  Slice invariants;  ///< of the type itself (the root element)
  Slice parameters;  ///< own search parameters, sorted by code; in the list of parameter rows
};

struct ElementRow {
  Text name;
  std::uint16_t owner;
  std::uint16_t order;
  std::uint16_t max;  ///< 0 = unbounded
  std::uint8_t min;
  std::uint8_t flags;
  Slice types;
  std::uint16_t backbone;   ///< row of type; kNone when the content has a named type
  std::uint16_t value_set;  ///< row of value set; kNone when unbound
  std::uint8_t strength;
  Slice invariants;  ///< in the list of invariant rows
};

enum ElementFlag : std::uint8_t {
  kChoice = 1,
  kSummary = 2,
  kModifier = 4,
  kXmlAttribute = 8,
  kContentReference = 16,
};

struct ElementTypeRow {
  std::uint16_t type;
  Slice targets;   ///< in the list of type rows
  Text json_name;  ///< of this variant of a choice; empty otherwise
};

/// What a JSON member name of a type stands for. Found through one open-addressing hash table for all types.
struct MemberRow {
  std::uint16_t element;
  std::uint8_t variant;  ///< position in the element's types; kBaseName: the name of a choice without a type
};
inline constexpr std::uint8_t kBaseName = 0xff;

struct ValueSetRow {
  Text url;
  std::uint8_t rule;
  std::uint32_t codes_begin;
  std::uint16_t codes_count;
  std::uint16_t system;  ///< row of system when all codes have the same one, else kNone
};

struct CodeRow {
  Text code;
  Text display;
  std::uint16_t system;
};

struct SearchParameterRow {
  Text code;
  Text url;
  Text expression;
  std::uint8_t type;
  Slice bases;    ///< in the list of type rows
  Slice targets;  ///< in the list of type rows
  Slice components;
};

struct ComponentRow {
  std::uint16_t parameter;
  Text expression;
};

struct InvariantRow {
  Text key;
  Text expression;
  bool is_error;
};

struct CompartmentRow {
  Text code;
  Slice members;
};

struct CompartmentMemberRow {
  std::uint16_t type;
  Slice parameters;  ///< in the list of compartment parameter codes
};

struct OperationRow {
  Text code;
  Text url;
  std::uint8_t levels;
  bool affects_state;
  Slice types;  ///< in the list of type rows
};

}  // namespace kiln::fhir::detail
