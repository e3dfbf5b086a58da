#pragma once
// What a run is made of: resources, frames, texts and places; what it remembers of calls and looks.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/base/partial_date.h"
#include "mappings/detail/call_memory.h"
#include "mappings/detail/ir.h"
#include "mappings/detail/object_memory.h"
#include "mappings/program.h"
#include "mappings/targets/tree.h"
#include "mappings/value.h"

namespace kiln::mappings {

/// A resource that a `create` made.
struct CreatedNode : OutputNode {
  const ir::Create* create = nullptr;
  std::string_view handle, resource_type;
  std::string_view system, value;  ///< of the identity; value empty: none
  std::string_view authority;      ///< what stands for the system in the seed when the system has no URI
  OutputNode* identity = nullptr;  ///< the Identifier to add
  CreatedNode* merged_into = nullptr;
  CreatedNode* amended_by = nullptr;  ///< of an `ensure`: the patch of its identity behind it
  std::uint32_t first_loop = 0, loops = 0;  ///< range in Run::loop_numbers_
  std::uint32_t entry = 0;
  std::uint32_t sequence = 0;  ///< in order of creation, from 1
  bool skipped = false;
  bool exists = false;
  bool amends = false;  ///< a patch whose resource is an `ensure` of the same Bundle
  /// The Bundle that is made, in a map that makes one: its own elements, no entry.
  bool is_bundle() const { return resource_type == "Bundle"; }
  char uuid[36] = {};
};

namespace detail {

/// Why the run leaves the statements it is in: skip ends the innermost create, rows the innermost iteration
/// over rows.
enum class Halt : std::uint8_t { none, skip, rows, stop };

/// The parts of a piece of the message, one level down: components of a field or repetition, subcomponents of
/// a component.
struct Parts {
  static constexpr std::uint32_t kMax = 24;
  Hl7Ref range;
  Hl7Level level = Hl7Level::component;  ///< of the parts
  std::uint32_t count = 0;               ///< not more than kMax
  /// Bit n-1: part n is not empty. What is beyond the table may hold something.
  std::uint32_t valued = ~std::uint32_t{0};
  /// Bit n-1: part n may hold separators of a lower level.
  std::uint32_t deep = ~std::uint32_t{0};
  std::uint32_t begins[kMax + 4];  ///< part n is [begins[n-1], begins[n]-1); room for copies of four
  void copy(const Parts& from);
};

struct Frame {
  Value* locals = nullptr;
  OutputNode** objects = nullptr;
  /// Of parameter 0 of a datatype map; nullptr where they are not known.
  const Parts* parts = nullptr;
  std::uint32_t valued = ~std::uint32_t{0};  ///< parts->valued; all where that is not known
};

/// A text of the message or the program and where it comes from; size 0: none.
struct Text {
  const char* data = nullptr;
  std::uint32_t size = 0;
  bool quoted = false;  ///< as OutputNode::quoted
  SourceRef source = 0;
  std::string_view view() const { return {data, size}; }
};

/// One JSON Patch `remove` (on null delete with request patch).
struct PatchRemoval {
  const OutputNode* root;
  std::string_view member;
};

/// Where a value goes. `node` is known at once, or (a choice element) when the variant is.
struct Dest {
  OutputNode* node = nullptr;
  OutputNode* parent = nullptr;  ///< choice: the object that holds the variants
  const ir::Choice* choice = nullptr;
  OutputNode* list = nullptr;          ///< append: each value becomes an item
  const ir::Member* member = nullptr;  ///< of the slot written; nullptr where there is none
  const ir::Write* write = nullptr;
};

/// Names a call.
struct CallKey {
  std::uint32_t function = 0;
  std::string_view text;
  std::span<const Value> arguments;
  char bytes[CallMemory::kKeyMax];
};

/// Bytes of the message that one word of marks tells of: what of an argument a remembered call reads.
inline constexpr std::uint32_t kReadWindow = 64;

inline bool overlap(const Value& a, const Value& b) {
  return a.kind == ValueKind::hl7 && b.kind == ValueKind::hl7 && a.hl7.begin < b.hl7.end &&
         b.hl7.begin < a.hl7.end;
}

/// A call that makes an object, or finds it (run_objects.cpp). Not to be copied: `key` views `bytes`.
struct ObjectCall {
  ObjectKey key;
  std::size_t hash = 0;
  std::span<const Value> arguments;
  bool keeps = false;  ///< what it makes is to be kept; then the rest says how things were before
  std::uint64_t steps = 0, noted = 0, zoned = 0;
  std::array<std::uint64_t, KeptObject::kArgumentsMax> read{};
  char bytes[ObjectMemory::kKeyMax];

  ObjectCall() {}  // `bytes` need no value
  ObjectCall(const ObjectCall&) = delete;
  ObjectCall& operator=(const ObjectCall&) = delete;
};

/// What a call gave: a text that was known, or a value that is new.
struct Called {
  bool known = false;
  Text text;
  Value result;
  Value value() const {
    if (!known) return result;
    return text.data == nullptr ? Value() : Value::of_string(text.view()).from(text.source);
  }
};

/// What is said while a call is evaluated that may be remembered.
struct Recording {
  Recording* outer = nullptr;
  std::uint32_t rule = ir::kNone;  ///< that calls: what another rule says is not remembered
  bool fits = true;
  CallNote note{};
  SourceRef source = 0;  ///< of the note
  void add(RunDiagnostic::Level level, std::string_view code, std::string_view what, const Value* value,
           std::uint32_t said_by, Arena& arena);
};

/// The parts of a join() so far.
struct Joined {
  std::size_t count = 0, size = 0, bytes = 0;
  SourceRef source = 0;
  Value instead;
};

/// A date that was read, and how it prints: many results of a message have the same.
struct DateMade {
  std::string_view text, printed;
  const base::PartialDate* date = nullptr;
  ir::Conversion conversion = ir::Conversion::none;
  bool zoned = false;  ///< the zone of the message is in it
};

/// What was found where a field, or a part of one, was looked at.
struct Looked {
  std::uint64_t place = 0;  ///< the path and its segment; 0: nothing
  Text text;
};

}  // namespace detail
}  // namespace kiln::mappings
